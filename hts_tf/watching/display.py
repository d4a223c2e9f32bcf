"""What is shown of a run: the progress line, and TensorBoard."""

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata as image_metadata

from hts_tf.files.episodes import Episode
from hts_tf.system import terminal


class ProgressLine:
    """One live line on a terminal; elsewhere a plain line now and then."""

    def __init__(self, total_env_steps: int) -> None:
        self._total = total_env_steps
        self._live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
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
            room = shutil.get_terminal_size().columns - 1  # a longer line could not be rewritten
            terminal.say(f"\r\x1b[K{self._pending[:room]}", end="")
        elif time.monotonic() - self._last_plain >= self._plain_every_sec:
            self._last_plain = time.monotonic()
            self.close()

    def close(self) -> None:
        """Ends the line, or prints the last one if it has not been; may be called twice."""
        if self._pending:
            terminal.say("" if self._live else self._pending)
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
