"""Observers: what is told what becomes of a run, may log it, and may ask it to stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Run(NamedTuple):
    """What is observed.

    Attributes:
      workdir: of the run.
      configuration: binding -> value, all that is used, with "--seed".
      scope: what the run's bits may depend on: versions, processor, and so on.
      env_steps: made so far, when the run is taken up again; what was told of later ones is void,
        as they are made again.
      total_env_steps: of the whole run.
      is_complete: whether none are left to be made.
    """

    workdir: Path
    configuration: Mapping[str, Any]
    scope: Mapping[str, str]
    env_steps: int
    total_env_steps: int
    is_complete: bool = False


class EndedEpisode(NamedTuple):
    """An episode of the training.

    Attributes:
      env: number of the environment that played it.
      episode: its number there, from 0.
      seed: what the environment was reset with.
      score: sum of the scores, of several players the mean over those that are no rivals; NaN if
        the episode was cut short.
      episode_return: sum of the rewards; the same.
      length: in env steps.
      task: that it is of, see `environments.tasks`; else 0.
      against: whom it met, where there are rivals; else "".
      figures: what the environment tells of it, see `EnvironmentSpec.figures`.
    """

    env: int
    episode: int
    seed: int
    score: float
    episode_return: float
    length: int
    task: int
    against: str
    figures: tuple[float, ...]


class Observer:
    """Is told what becomes of a run; all its methods do nothing but what a subclass has them do.

    They are called between rounds, on the first machine, by the thread that trains: while they take
    their time, it waits. They are given copies and can change no result. One that raises anything
    is told no more, and the run goes on, with a warning; but what `begin` raises ends the run.

    Whoever reads the configuration makes one, too, also to evaluate or export: files are for
    `begin` to open, not for `__init__`.

    Attributes:
      influences_results: no: what is bound of it may differ when a run is resumed.
      ended: how the run has, when `end` is told of it: 'finished', 'stopped' (it may be gone on
        with) or 'failed'; "" before.
    """

    influences_results = False
    ended = ""

    def begin(self, run: Run) -> None:
        """The run begins, or goes on.

        Raises:
          ConfigError: it cannot be observed.
        """

    def after_update(self, env_steps: int, figures: Mapping[str, float]) -> bool | None:
        """An update has been made.

        Args:
          env_steps: made so far.
          figures: what TensorBoard shows, by name.

        Returns:
          True to have the run end at its next sync point, as if it were interrupted there.
        """

    def after_episode(self, env_steps: int, episode: EndedEpisode) -> bool | None:
        """An episode has ended, in the round that has; may return True, see `after_update`."""

    def before_checkpoint(self) -> None:
        """A checkpoint is about to be written: a run that goes on from it repeats nothing before.

        So what is kept of that in a file is to be on the disk (`os.fsync`) by the end of this call.
        """

    def after_checkpoint(self, env_steps: int, path: Path) -> None:
        """A checkpoint has been written; it will be removed when there are newer ones."""

    def after_evaluation(self, env_steps: int, figures: Mapping[str, float]) -> bool | None:
        """A policy of so many env steps has been evaluated while the run trained on.

        Args:
          env_steps: of the run, when it had this policy.
          figures: "evaluation/score" and so on.

        Returns:
          True to have the run end, see `after_update`. When evaluations end is not repeatable, and
          so is not where the run ends.
        """

    def end(self) -> None:
        """The run is over, or interrupted, or has failed: see `ended`."""
