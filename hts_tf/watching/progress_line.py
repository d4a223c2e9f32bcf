"""The progress line: where a run is, in one line."""

import os
import shutil
import sys
import time
import types
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hts_tf.files.archive import Record
from hts_tf.files.episodes import Episode
from hts_tf.files.evaluations import Evaluation
from hts_tf.system import terminal

_PLAIN_EVERY_SEC = 10.0


class Status(NamedTuple):
    """Where a run is.

    Attributes:
      env_steps: made so far.
      sps: env steps per second, recently.
      means: over the last episodes; None before any has finished.
      figures: what TensorBoard is given.
      ended: episodes that have, since the status before.
    """

    env_steps: int
    sps: float
    means: Episode | None
    figures: Mapping[str, float] = types.MappingProxyType({})
    ended: Sequence[Record] = ()

    def sec_left(self, total_env_steps: int) -> float:
        """Returns how long the rest of a run will take at that speed; 0 if it is not known."""
        return (total_env_steps - self.env_steps) / self.sps if self.sps else 0.0


class ProgressLine:
    """One live line on a terminal; elsewhere a plain line now and then."""

    def __init__(self, total_env_steps: int) -> None:
        self._total = total_env_steps
        self._live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._last_plain = -np.inf
        self._pending = self._printed = ""

    def show(self, status: Status) -> None:
        """Shows where the run is."""
        env_steps, sps, means = status[:3]
        score = "score -  return -"
        if means:
            score = f"score {means.score:.2f}  return {means.episode_return:.2f}"
        left = status.sec_left(self._total)
        self._pending = (
            f"{env_steps:,} of {self._total:,} env steps ({env_steps / self._total:.0%})  "
            f"{sps:,.0f} SPS  {score}  {duration(left)} left"
        )
        if self._live:
            room = shutil.get_terminal_size().columns - 1  # a longer line could not be rewritten
            terminal.say(f"\r\x1b[K{self._pending[:room]}", end="")
        elif time.monotonic() - self._last_plain >= _PLAIN_EVERY_SEC:
            self._last_plain = time.monotonic()
            self.close()

    def evaluated(self, evaluation: Evaluation) -> None:
        """Has no room for it."""

    def close(self) -> None:
        """Ends the line, or prints the last one if it has not been; may be called twice."""
        if self._live and self._pending:
            terminal.say("")
        elif self._pending not in ("", self._printed):  # the last update has no env steps any more
            terminal.say(self._pending)
            self._printed = self._pending
        self._pending = ""


def duration(seconds: float) -> str:
    """Returns a time as hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
