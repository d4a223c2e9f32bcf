"""Whether configurations can be trained, before any is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hts_tf import errors


class Candidate(NamedTuple):
    """A configuration of runs, see `config.load`.

    Attributes:
      drawn: further bindings, as lists of which each is tried by itself.
    """

    scenario: str
    method: str
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]
    drawn: Sequence[Sequence[str]] = ((),)


def begin() -> Callable[[Candidate], list[int]]:
    """Returns `check`, for `parallel.each`: in a process that may load TensorFlow, and end."""
    from absl import logging

    import hts_tf.system.quiet_tensorflow  # noqa: F401

    logging.use_absl_handler()  # as commands do; else what gin says would be shown
    return check


def check(candidate: Candidate) -> list[int]:
    """Tries what may be drawn.

    Returns:
      The env steps of a run with each.

    Raises:
      ConfigError: something cannot be used.
    """
    from hts_tf import build, config
    from hts_tf.settings import Settings

    env_steps = []
    for drawn in candidate.drawn:
        bindings = [*candidate.gin_bindings, *drawn]
        try:
            config.load(candidate.scenario, candidate.method, candidate.gin_files, bindings)
            settings = Settings()
            build.check_agent(settings)
            env_steps.append(settings.total_env_steps)
        except errors.ConfigError as error:
            what = f"with {', '.join(drawn)}: " if drawn else ""
            # Another one: gin raises it as of a class of its own, which cannot be pickled.
            raise errors.ConfigError(f"{what}{error}") from error
    return env_steps
