"""What a run's event files say of it: its scalars, and its learning curve."""

import array
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors
from hts_tf.files.episodes import WINDOW
from hts_tf.files.event_tail import END, RESTART, EventTail

TARGETS = (0.4, 0.8)  # of football: scores; the time and the env steps that they take are compared

_FIRST_TAG = "run/minutes"  # of what the trainer writes in each round
_TAGS = (_FIRST_TAG, "episodes/finished", "episodes/score", "episodes/return")


def targets(texts: Sequence[str]) -> tuple[float, ...]:
    """Returns the scores that a flag --targets names, from the lowest on.

    Raises:
      ConfigError: one is no number.
    """
    try:
        scores = sorted({float(text) for text in texts})
    except ValueError:
        scores = [math.nan]
    if not all(map(math.isfinite, scores)):
        raise errors.ConfigError(f"--targets={','.join(texts)} are no numbers")
    return tuple(scores)


def least(target: float) -> float:
    """Returns the lowest mean of rounded scores that counts as having reached a target."""
    return min(target, float(np.float32(target)))


class Curve(NamedTuple):
    """One run over its env steps; all arrays have the same length, 0 before any episode finished.

    Attributes:
      env_steps: made so far.
      minutes: since launch, without the time between an interruption and its resumption.
      finished: episodes finished so far.
      score: mean of the last 100 episodes.
      episode_return: mean of the last 100 episodes.
    """

    env_steps: np.ndarray
    minutes: np.ndarray
    finished: np.ndarray
    score: np.ndarray
    episode_return: np.ndarray

    def first_reached(self, target: float) -> tuple[int, float] | None:
        """Returns (env steps, minutes) at which 100 episodes first averaged a target score."""
        reached = np.flatnonzero((self.score >= least(target)) & (self.finished >= WINDOW))
        if not len(reached):
            return None
        return int(self.env_steps[reached[0]]), float(self.minutes[reached[0]])


class RunLog:
    """The scalars of a run, also while it goes on.

    Where a run that was killed goes on from its checkpoint, it goes over some steps again; what
    it had written of them is forgotten.

    Attributes:
      series: tag -> env steps -> value.
      is_cut_short: whether it has yet to come to its end, as far as it tells.
    """

    def __init__(self, workdir: Path) -> None:
        """Reads what is there."""
        self.series: dict[str, dict[int, float]] = {}
        self.is_cut_short = False
        self._tail = EventTail(workdir)
        self._begin_curve()
        self.read()

    def read(self) -> bool:
        """Reads what has been written since, and returns whether that is anything."""
        is_new = False
        for scalar in self._tail.scalars():
            is_new = True
            if scalar.tag == RESTART:
                self._forget_from(scalar.env_steps)
                self.is_cut_short = bool(scalar.value)
            elif scalar.tag == END:
                self.is_cut_short = False
            else:
                series = self.series.setdefault(scalar.tag, {})
                if scalar.env_steps in series:  # the last update of `hts` has those of another
                    self._begin_curve()
                series[scalar.env_steps] = scalar.value
        return is_new

    @property
    def env_steps(self) -> int:
        """Made so far."""
        return next(reversed(self.series.get(_FIRST_TAG, {})), 0)

    @property
    def minutes(self) -> float:
        """Since launch, without the time between an interruption and its resumption."""
        return self.series[_FIRST_TAG][self.env_steps] if self.env_steps else 0.0

    def curve(self) -> Curve:
        """Returns the learning curve so far."""
        points = [self.series.get(tag, {}) for tag in _TAGS]
        for step in itertools.islice(points[0], self._num_seen, None):
            if all(step in series for series in points):
                self._steps.append(step)
                for values, series in zip(self._values, points, strict=True):
                    values.append(series[step])
        self._num_seen = len(points[0])
        return Curve(np.array(self._steps), *map(np.array, self._values))

    def _begin_curve(self) -> None:
        """Forgets what is known of it, which grows: whoever follows a run asks again and again."""
        self._num_seen = 0
        self._steps = array.array("q")
        self._values = [array.array("d") for _ in _TAGS]

    def _forget_from(self, env_steps: int) -> None:
        self._begin_curve()
        for tag, series in [*self.series.items()]:
            self.series[tag] = {step: series[step] for step in series if step < env_steps}
            if not self.series[tag]:
                del self.series[tag]


def read_curve(workdir: Path) -> Curve:
    """Reads a run's learning curve.

    Raises:
      FileNotFoundError: the workdir holds no event files with finished episodes.
    """
    curve = RunLog(workdir).curve()
    if not len(curve.env_steps):
        raise FileNotFoundError(f"{workdir} holds no event files with finished episodes")
    return curve
