"""Whether configurations can be trained, before any is."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hts_tf import errors

if TYPE_CHECKING:
    from hts_tf.settings import Settings


class Candidate(NamedTuple):
    """A configuration of runs, see `config.load`.

    Attributes:
      drawn: further bindings, as lists of which each is tried by itself.
      needs_score: whether runs are judged by their scores.
    """

    scenario: str
    method: str
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]
    drawn: Sequence[Sequence[str]] = ((),)
    needs_score: bool = False


class Checked(NamedTuple):
    """What is known of a configuration that can be trained.

    Attributes:
      env_steps: of a run.
      chosen: what its environment chooses, as bindings, see `networks.choice`.
    """

    env_steps: int
    chosen: Sequence[str]


def begin() -> Callable[[Candidate], list[Checked]]:
    """Returns `check`, for `parallel.each`: in a process that may load TensorFlow, and end."""
    from absl import logging

    import hts_tf.system.quiet_tensorflow  # noqa: F401

    logging.use_absl_handler()  # as commands do; else what gin says would be shown
    return check


def begin_refusals() -> Callable[[Candidate], str | None]:
    """Returns what says why `check` refuses, or None; see `begin`."""
    ask = begin()

    def refusal(candidate: Candidate) -> str | None:
        try:
            ask(candidate)
        except errors.ConfigError as error:
            return str(error)
        return None

    return refusal


def check(candidate: Candidate) -> list[Checked]:
    """Tries what may be drawn, one after the other.

    Raises:
      ConfigError: something cannot be used.
    """
    from hts_tf import config, plan
    from hts_tf.settings import Settings

    found = []
    for drawn in candidate.drawn:
        bindings = [*candidate.gin_bindings, *drawn]
        try:
            config.load(candidate.scenario, candidate.method, candidate.gin_files, bindings)
            settings = Settings()
            chosen = plan.check_agent(settings)
            if candidate.needs_score:
                _check_score(settings)
            found.append(Checked(settings.total_env_steps, chosen))
        except errors.ConfigError as error:
            what = f"with {', '.join(drawn)}: " if drawn else ""
            # Another one: gin raises it as of a class of its own, which cannot be pickled.
            raise errors.ConfigError(f"{what}{error}") from error
    return found


def _check_score(settings: "Settings") -> None:
    met = settings.opponents
    is_of_others = met and not met.self_play and met.snapshot_every_updates is None
    if settings.environment.spec.num_rivals and not is_of_others:
        raise errors.ConfigError(
            "a policy that plays against itself, or its past, has no score to go by: bind "
            "Opponents.self_play = 0.0, Opponents.snapshot_every_updates = None, and others to "
            "play against; rate policies by hts_tf.tournament; or compare with --targets= (none)",
            page="comparing.md#tournaments",
        )
