"""Whether what a sweep may draw can be trained, before anything is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hts_tf import errors
from hts_tf.sweeping.space import Parameter


class Candidate(NamedTuple):
    """A configuration of runs, see `config.load`, but for what is drawn."""

    scenario: str
    method: str
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]
    space: Sequence[Parameter]


def begin() -> Callable[[Candidate], int]:
    """Returns `check`, for `parallel.each`: in a process that may load TensorFlow, and end."""
    from absl import logging

    import hts_tf.system.quiet_tensorflow  # noqa: F401
    from hts_tf import build  # noqa: F401  the configurables that are not environments

    logging.use_absl_handler()  # as commands do; else what gin says would be shown
    return check


def check(candidate: Candidate) -> int:
    """Tries the ends of all ranges and all choices, one at a time, beside first values.

    Returns:
      The env steps of a run.

    Raises:
      ConfigError: a value cannot be used, or the number of env steps is searched.
    """
    from hts_tf import config
    from hts_tf.settings import Settings

    first = [parameter.binding(parameter.values[0]) for parameter in candidate.space]
    found = set()
    for number, parameter in enumerate(candidate.space):
        for value in parameter.values:
            drawn = [*first[:number], parameter.binding(value), *first[number + 1 :]]
            bindings = [*candidate.gin_bindings, *drawn]
            try:
                config.load(candidate.scenario, candidate.method, candidate.gin_files, bindings)
                found.add(Settings().total_env_steps)
            except errors.ConfigError as error:
                raise errors.ConfigError(f"with {', '.join(drawn)}: {error}") from error
    if len(found) > 1:
        raise errors.ConfigError("Trainer.total_env_steps cannot be searched: runs are compared")
    return found.pop()
