"""Runs of a comparison: when they reach a score, and how several look together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hts_tf.files.curves import Curve
from hts_tf.measurements import DIVERGED, UNFINISHED

AXES = ("env_steps", "minutes")
GRID_POINTS = 200


class Run(NamedTuple):
    """One training run.

    Attributes:
      method: its name.
      scenario: its name.
      seed: of the run.
      curve: from the moment on at which the score is that of 100 episodes; the rest is noise.
      env_steps: made in all.
      minutes: passed in all.
      ended: why; see `measurements.Measured`.
    """

    method: str
    scenario: str
    seed: int
    curve: Curve
    env_steps: float
    minutes: float
    ended: str

    def places(self, axis: str) -> np.ndarray:
        """Returns where the curve's points lie on one of the `AXES`."""
        return getattr(self.curve, axis)

    def score_at(self, axis: str, places: np.ndarray) -> np.ndarray:
        """Returns the score at places on one of the `AXES`, linearly interpolated."""
        return np.interp(places, self.places(axis), self.curve.score)


class Reach(NamedTuple):
    """When the runs of one method on one scenario reached a score.

    Attributes:
      values: env steps or minutes of the seeds that did, ascending.
      seeds: how many there are.
      limit: until when all those that did not were followed; NaN if there are none.
    """

    values: list[float]
    seeds: int
    limit: float

    @property
    def at_least(self) -> float:
        """The mean over seeds if those that never reached it had when they ended: a lower bound."""
        missing = self.seeds - len(self.values)
        return float(np.mean(self.values + [self.limit] * missing))

    @property
    def mean(self) -> float | None:
        """The mean over seeds; None unless every seed reached it, for it would flatter."""
        return float(np.mean(self.values)) if len(self.values) == self.seeds else None


class Spread(NamedTuple):
    """Several curves as one, each array [GRID_POINTS]."""

    place: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def reach(runs: Sequence[Run], target: float, axis: str) -> Reach:
    """Says when the runs of one method on one scenario reached a score.

    Args:
      runs: at least one.
      target: the score.
      axis: one of the `AXES`.
    """
    reached = [run.curve.first_reached(target) for run in runs]
    values = [moment[AXES.index(axis)] for moment in reached if moment]
    missed = [getattr(run, axis) for run, moment in zip(runs, reached, strict=True) if not moment]
    return Reach(sorted(values), len(runs), min(missed, default=np.nan))


def reaches(
    runs: Iterable[Run], axis: str, targets: Sequence[float]
) -> dict[tuple[str, float], dict[str, Reach]]:
    """Returns (scenario, target) -> method -> when it was reached; see `reach`."""
    groups: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        groups.setdefault(run.scenario, {}).setdefault(run.method, []).append(run)
    return {
        (scenario, target): {
            method: reach(group, target, axis) for method, group in groups[scenario].items()
        }
        for scenario in sorted(groups)
        for target in targets
    }


def judged(runs: Sequence[Run]) -> list[Run]:
    """Returns what scores over env steps are judged by, so that no run ends that of others early.

    Unfinished runs are left out, and those that have diverged before they had a score. Others that
    have diverged keep their last score until the last of those on their scenario has ended.
    """
    finished = [
        run
        for run in runs
        if run.ended != UNFINISHED and (run.ended != DIVERGED or len(run.curve.score))
    ]
    return [
        _carried_on(
            run, max(other.env_steps for other in finished if other.scenario == run.scenario)
        )
        if run.ended == DIVERGED
        else run
        for run in finished
    ]


def _carried_on(run: Run, env_steps: float) -> Run:
    ends = run.curve._replace(env_steps=[env_steps])
    last = Curve(*(column[-1:] for column in ends))
    return run._replace(curve=Curve(*map(np.concatenate, zip(run.curve, last, strict=True))))


def common_range(runs: Iterable[Run], axis: str) -> tuple[float, float] | None:
    """Returns from where to where all of the runs have a score; None if they share no such part."""
    places = [run.places(axis) for run in runs]
    if not places or not all(map(len, places)):
        return None
    first, last = max(p[0] for p in places), min(p[-1] for p in places)
    return (float(first), float(last)) if first < last else None


def spread(runs: Sequence[Run], axis: str) -> Spread | None:
    """Returns mean, minimum and maximum over runs, where all of them have a score."""
    ends = common_range(runs, axis)
    if ends is None:
        return None
    place = np.linspace(*ends, GRID_POINTS)
    scores = np.stack([run.score_at(axis, place) for run in runs])
    return Spread(place, scores.mean(0), scores.min(0), scores.max(0))


def final_score(run: Run, ends: tuple[float, float]) -> float:
    """Returns the score at the end of a range of env steps."""
    return float(run.score_at("env_steps", np.array(ends[1])))


def mean_score(run: Run, ends: tuple[float, float]) -> float:
    """Returns the area under the curve over a range of env steps, divided by its length."""
    place = np.linspace(*ends, GRID_POINTS)
    return float(np.trapezoid(run.score_at("env_steps", place), place) / (ends[1] - ends[0]))
