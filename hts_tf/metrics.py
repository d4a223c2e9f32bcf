"""What is kept and what is shown: episode statistics, the progress line, TensorBoard."""

import collections
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata as image_metadata

from hts_tf import archive, seeding, specs
from hts_tf.curves import WINDOW


class Episode(NamedTuple):
    """A finished episode.

    Attributes:
      score: sum of the scores (football: goals for minus goals against).
      episode_return: sum of the rewards.
      length: in env steps.
    """

    score: float
    episode_return: float
    length: int


class EpisodeTracker:
    """Follows episodes across intervals, from what is in the storages.

    Attributes:
      recent: the last `WINDOW` finished episodes, oldest first.
      finished: how many episodes have finished.
    """

    def __init__(self, num_envs: int, seed: int) -> None:
        """Starts with the first episode of every environment.

        Args:
          num_envs: how many.
          seed: of the run.
        """
        self._seed = seed
        self._running = np.zeros((3, num_envs))
        # Of the running episodes: their numbers, and the actions in the intervals before.
        self._number = [0] * num_envs
        self._actions = [b""] * num_envs
        self.recent: collections.deque[Episode] = collections.deque(maxlen=WINDOW)
        self.finished = 0

    def add(
        self, rollout: specs.Rollout, interval: int, slots: np.ndarray | None = None
    ) -> list[archive.Record]:
        """Counts in an interval.

        Args:
          rollout: [T, B].
          interval: its number.
          slots: [B], the environment that each column is of, each environment's columns in the
            order of time; None for one column of each, in order.

        Returns:
          The episodes that finished in it; those that did in the same step, in slot order; column
          by column if `slots` are given.
        """
        if slots is None:
            return self._add(rollout, interval, range(len(self._number)))
        return [
            record
            for column, slot in enumerate(slots.tolist())
            for record in self._add(
                specs.Rollout(*(array[:, column : column + 1] for array in rollout)),
                interval,
                [slot],
            )
        ]

    def _add(
        self, rollout: specs.Rollout, interval: int, slots: Sequence[int]
    ) -> list[archive.Record]:
        """Counts in an interval of so many different slots."""
        running = self._running[:, slots]
        ended = rollout.terminated | rollout.truncated
        finished = []
        begin = np.zeros(ended.shape[1], int)  # the running episodes' first steps in here
        for step in range(len(ended)):
            running[0] += rollout.score[step]
            running[1] += rollout.reward[step]
            running[2] += 1
            for column in np.flatnonzero(ended[step]).tolist():
                slot = slots[column]
                score, episode_return, length = running[:, column].tolist()
                self.recent.append(Episode(score, episode_return, int(length)))
                actions = rollout.action[begin[column] : step + 1, column].tobytes()
                finished.append(
                    archive.Record(
                        slot=slot,
                        episode=self._number[slot],
                        seed=seeding.episode_seed(self._seed, slot, self._number[slot]),
                        interval=interval,
                        score=score,
                        episode_return=episode_return,
                        actions=self._actions[slot] + actions,
                    )
                )
                self._number[slot] += 1
                self._actions[slot] = b""
                begin[column] = step + 1
            running[:, ended[step]] = 0
        for column, slot in enumerate(slots):
            self._actions[slot] += rollout.action[begin[column] :, column].tobytes()
        self._running[:, slots] = running
        self.finished += len(finished)
        return finished

    def means(self) -> Episode | None:
        """Returns the means over `recent`, or None before any episode has finished."""
        return Episode(*np.mean(self.recent, axis=0)) if self.recent else None

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        return {
            "episodes/running": self._running,
            "episodes/recent": np.array(self.recent, np.float64).reshape(-1, 3),
            "episodes/finished": np.array(self.finished),
        }

    def restore(
        self, state: dict[str, np.ndarray], playing: Sequence[tuple[int, np.ndarray]]
    ) -> None:
        """Goes on from a saved state.

        Args:
          state: what `state` returned.
          playing: for each slot, what `Ledger.current` said at the same sync point; or an episode
            without actions, where another one begins.
        """
        self._number = [number for number, _ in playing]
        self._actions = [actions.tobytes() for _, actions in playing]
        goes_on = [len(actions) > 0 for _, actions in playing]
        self._running[...] = np.where(goes_on, state["episodes/running"], 0.0)
        self.recent.extend(
            Episode(float(s), float(r), int(n)) for s, r, n in state["episodes/recent"]
        )
        self.finished = int(state["episodes/finished"])


def say(text: str, end: str = "\n") -> None:
    """Writes to standard output; if nobody reads it any more, a run goes on without."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except OSError:
        sys.stdout = io.StringIO()


class ProgressLine:
    """One live line on a terminal; elsewhere a plain line now and then."""

    def __init__(self, total_env_steps: int) -> None:
        self._total = total_env_steps
        self._live = sys.stdout.isatty()
        self._plain_every_sec = 10.0
        self._last_plain = -np.inf
        self._pending = ""

    def show(self, env_steps: int, sps: float, means: Episode | None) -> None:
        """Shows where the run is.

        Args:
          env_steps: made so far.
          sps: env steps per second, recently.
          means: over the last episodes.
        """
        score = "score -  return -"
        if means:
            score = f"score {means.score:.2f}  return {means.episode_return:.2f}"
        left = (self._total - env_steps) / sps if sps else 0
        self._pending = (
            f"{env_steps:,} of {self._total:,} env steps ({env_steps / self._total:.0%})  "
            f"{sps:,.0f} SPS  {score}  {_duration(left)} left"
        )
        if self._live:
            say(f"\r\x1b[K{self._pending}", end="")
        elif time.monotonic() - self._last_plain >= self._plain_every_sec:
            self._last_plain = time.monotonic()
            self.close()

    def close(self) -> None:
        """Ends the line, or prints the last one if it has not been; may be called twice."""
        if self._pending:
            say("" if self._live else self._pending)
            self._pending = ""


def minutes_since_launch() -> float:
    """Returns the minutes since this process was started, imports and set-up included."""
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    launched = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return (time.clock_gettime(time.CLOCK_BOOTTIME) - launched) / 60


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


class TensorBoard:
    """Writes event files; the step axis is env steps."""

    def __init__(self, workdir: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(workdir))

    def scalars(self, env_steps: int, values: dict[str, float]) -> None:
        """Writes scalars by name; whoever follows the file sees them at once."""
        with self._writer.as_default(step=env_steps):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def text(self, name: str, text: str) -> None:
        """Writes a text, shown verbatim."""
        indented = "\n".join("    " + line for line in text.splitlines())
        with self._writer.as_default(step=0):
            tf.summary.text(name, indented)

    def animation(self, env_steps: int, name: str, gif: bytes, size: tuple[int, int]) -> None:
        """Writes a GIF of a (width, height), which TensorBoard shows among the images, moving."""
        # `tf.summary.image` would encode still PNGs; the images' plugin passes on any format.
        content = tf.constant([*(str(pixels).encode() for pixels in size), gif])
        metadata = image_metadata.create_summary_metadata(display_name=None, description=None)
        with self._writer.as_default():
            tf.summary.write(name, content, step=env_steps, metadata=metadata)

    def close(self) -> None:
        """Flushes everything to the disk."""
        self._writer.close()
