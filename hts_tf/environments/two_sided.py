"""Environments with two sides, also for those who were trained without anybody on the other one."""

import dataclasses

from hts_tf import errors, gin_errors
from hts_tf.environments import base
from hts_tf.environments.football import ai
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
        except errors.ConfigError as error:
            raise errors.ConfigError(gin_errors.own_words(error)) from None
    raise errors.ConfigError(
        f"{type(environment).__name__}: nobody plays on another side, so there can be no opponent",
        page="teams.md#opponents",
    )


def against(environment: base.EnvironmentConfig, opponent: str) -> base.EnvironmentConfig:
    """Returns an environment where an opponent is met, see `two_sided`; by its name, "" for none.

    gfootball's AI has the whole right team, and the left one is as able as it was.

    Raises:
      ConfigError: as `two_sided`; or the opponent is an AI, and this is not football.
    """
    if not opponent:
        return environment
    difficulty = ai.difficulty(opponent)
    if difficulty is None:
        return two_sided(environment)
    if isinstance(environment, Tasks):
        tasks = [against(task, opponent) for task in environment.environments]
        return dataclasses.replace(environment, environments=tasks)
    if isinstance(environment, Football) and environment.players[0]:
        return ai.on_the_right(environment, difficulty)
    raise errors.ConfigError(
        f"{type(environment).__name__}: {opponent} is of football, and of its right team",
        page="comparing.md#tournaments",
    )
