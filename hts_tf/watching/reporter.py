"""The reporter: shows how a run is doing, round by round."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hts_tf import errors, operative
from hts_tf.collecting.policy import FLEXIBLE, Batching
from hts_tf.files import scope
from hts_tf.files.archive import Record
from hts_tf.files.evaluations import Evaluation, Evaluations
from hts_tf.files.keeper import Keeper
from hts_tf.files.workdir import BY_OBSERVER
from hts_tf.observers.observer import EndedEpisode, Observer, Run
from hts_tf.observers.told import Observers
from hts_tf.schedules.schedule import Round
from hts_tf.system import start, terminal
from hts_tf.watching import live_view, progress_line, tensorboard_log


class Reporter:
    """Writes TensorBoard's event files, shows progress, and tells observers."""

    def __init__(
        self,
        directory: Path,
        batching: Batching,
        unrepeatable: str,
        total_env_steps: int,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Shows nothing yet.

        Args:
          directory: where event files will be written.
          batching: of the actors.
          unrepeatable: see `Settings.unrepeatable`.
          total_env_steps: of the whole run.
          observers: who is told, too.
        """
        self._ended = "failed"  # until it has come to an end
        self._total_env_steps = total_env_steps
        self._observers = Observers(observers)
        self._directory = directory
        self._batching = batching
        self._unrepeatable = unrepeatable
        self._progress = progress_line.ProgressLine(total_env_steps)
        if not terminal.is_quiet() and live_view.is_possible():
            self._progress = live_view.LiveView(directory, total_env_steps)
        self._sps = 0.0
        self._earlier_minutes = 0.0
        self._tensorboard: tensorboard_log.TensorBoard | None = None

    def begin(
        self,
        env_steps: int,
        configuration: str,
        scopes: Sequence[dict[str, str]],
        has_history: bool,
        is_complete: bool,
    ) -> None:
        """Says what is being run.

        Args:
          env_steps: made so far.
          configuration: operative, see `operative.text`.
          scopes: of reproducibility, that the run was made in; the last one is this launch's.
          has_history: whether an environment was found not to be free of it.
          is_complete: whether none are left to be made.
        """
        *earlier, found = scopes
        if self._batching not in FLEXIBLE:
            terminal.warn(
                "on this machine, observations in a batch influence each other; to keep "
                f"results reproducible, actors compute {self._batching.value}"
            )
        self._tensorboard = tensorboard_log.TensorBoard(self._directory)
        self._tensorboard.restart(env_steps)
        self._tensorboard.text("configuration", configuration)
        self._tensorboard.text("scope", "\n".join(f"{k}: {v}" for k, v in found.items()))
        if self._unrepeatable:
            terminal.say(f"not reproducible, as {self._unrepeatable}: no fingerprints")
        elif has_history:
            terminal.say("not reproducible, as its environment has turned out not to be")
        elif earlier:
            changed = (name for one in earlier for name, *_ in scope.differences(one, found))
            terminal.say(
                "not reproducible as a whole: parts of this run were made with another "
                + ", ".join(dict.fromkeys(changed))
            )
        else:
            terminal.say(scope.line(found))
        for evaluation in self._evaluated_before():
            if evaluation.env_steps <= env_steps:
                self._progress.evaluated(evaluation)
        bound = operative.bindings(configuration)
        self._observers.begin(
            Run(self._directory, bound, found, env_steps, self._total_env_steps, is_complete)
        )

    def _evaluated_before(self) -> list[Evaluation]:
        """Returns the evaluations of this run's launches before, to be shown."""
        try:
            return Evaluations(self._directory).read()
        except errors.ConfigError as error:  # who evaluates cannot go on; others can
            terminal.warn(str(error))
            return []

    def round_over(
        self,
        outcome: Round,
        seconds: float,
        env_steps: int,
        activity: dict[str, float],
        keeper: Keeper,
        ended: Sequence[Record],
    ) -> None:
        """Shows a round.

        Args:
          outcome: of the round.
          seconds: from sync point to sync point, with what is done while the workers wait.
          env_steps: made so far.
          activity: see `Workers.activity`; and figures of opponents, tasks and other machines.
          keeper: knows the episodes.
          ended: episodes that have, in this round.
        """
        scalars = {"run/minutes": self._minutes()}
        if outcome.collected is not None:
            self._sps = outcome.collected.reward[..., 0].size / seconds
            scalars["throughput/sps"] = self._sps
        scalars |= activity
        if outcome.logs is not None:
            scalars |= {f"learner/{name}": value for name, value in outcome.logs.items()}
            scalars["learner/policy_lag"] = outcome.policy_lag
        means = keeper.episodes.means()
        if means is not None:
            scalars |= {
                "episodes/finished": keeper.episodes.finished,
                "episodes/score": means.score,
                "episodes/return": means.episode_return,
                "episodes/length": means.length,
            }
            told = keeper.episodes.figures().items()
            scalars |= {f"episodes/{name}": value for name, value in told}
        scalars["time/learner_fingerprint"] = keeper.fingerprint_sec / seconds  # of the update
        scalars["time/learner_update"] = outcome.learning.sec / seconds
        scalars["time/learner_wait_rollout"] = outcome.waiting.sec / seconds
        self._tensorboard.scalars(env_steps, scalars)
        self._progress.show(progress_line.Status(env_steps, self._sps, means, scalars, ended))
        for record in ended:
            self._observers.tell("after_episode", env_steps, _ended(record))
        if outcome.logs is not None:
            self._observers.tell("after_update", env_steps, scalars)

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether an observer has asked for the end of the run."""
        return self._observers.asked_to_stop

    def sync(self) -> None:
        """Returns when what was shown and told is on the disk, as far as that is kept there."""
        self._tensorboard.sync()
        self._observers.tell("before_checkpoint")

    def saved(self, env_steps: int, path: Path) -> None:
        """Tells of a checkpoint."""
        self._observers.tell("after_checkpoint", env_steps, path)

    def say(self, text: str) -> None:
        """Prints a line, below the progress."""
        self._progress.close()
        terminal.say(text)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Shows how a policy has played while its run trained on."""
        means = {
            "evaluation/score": evaluation.score,
            "evaluation/return": evaluation.episode_return,
            "evaluation/length": evaluation.length,
        }
        self._tensorboard.scalars(evaluation.env_steps, means)
        self._progress.evaluated(evaluation)
        self._observers.tell("after_evaluation", evaluation.env_steps, means)

    def end(self, is_complete: bool) -> None:
        """Tells that the run has ended: by itself, or as it was asked to stop."""
        self._ended = "finished" if is_complete else "stopped"
        if is_complete:
            self._tensorboard.end(self._total_env_steps)

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        launch = np.array([start.LAUNCHED, self._earlier_minutes])
        return {
            "run/minutes": np.array(self._minutes()),
            "run/launch": launch,
            "run/asked_to_stop": np.array(self._observers.asked_to_stop),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state."""
        launched, earlier_minutes = state.get("run/launch", (None, 0.0))
        # After a machine was lost, a run begins again in the same process.
        is_same_launch = launched == start.LAUNCHED
        self._earlier_minutes = float(earlier_minutes if is_same_launch else state["run/minutes"])
        # Asked for in the round before, and not yet done: a run that has stopped may go on.
        if state.get("run/asked_to_stop", False) and not state[BY_OBSERVER]:
            terminal.warn("an observer had asked to stop: stopping at the next sync point")
            self._observers.asked_to_stop = True

    def close(self) -> None:
        """Shows the last of it; may be called twice."""
        self._progress.close()
        self._observers.end(self._ended)
        if self._tensorboard is not None:
            self._tensorboard.close()

    def _minutes(self) -> float:
        """Returns the minutes that the run has taken, from its launches to its stops."""
        return self._earlier_minutes + (time.monotonic() - start.LAUNCHED) / 60


def _ended(record: Record) -> EndedEpisode:
    return EndedEpisode(*(getattr(record, name) for name in EndedEpisode._fields))
