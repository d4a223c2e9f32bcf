"""Environments with two sides, for those who were trained where nobody was on the other one."""

import dataclasses

from hts_tf import errors
from hts_tf.environments import base
from hts_tf.environments.football.football import Football
from hts_tf.environments.tasks import Tasks


def two_sided(environment: base.EnvironmentConfig) -> base.EnvironmentConfig:
    """Returns an environment that has rivals: itself, or football with as many on the right.

    Of tasks, where none has any, each gets them.

    Raises:
      ConfigError: it has no other side, or not so many players on it.
    """
    if environment.spec.num_rivals:
        return environment
    if isinstance(environment, Tasks):
        tasks = [two_sided(task) for task in environment.environments]
        return dataclasses.replace(environment, environments=tasks)
    if isinstance(environment, Football) and environment.players[0]:
        try:
            return dataclasses.replace(environment, right_players=environment.players[0])
        except errors.ConfigError as error:  # gin adds lines that say what was called
            raise errors.ConfigError(str(error).partition("\n")[0]) from None
    raise errors.ConfigError(
        f"{type(environment).__name__}: nobody plays on another side, so there can be no opponent",
        page="teams.md#opponents",
    )
