"""Statistics over seeds and scenarios, by rliable (Agarwal et al. 2021, arXiv 2108.13264)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging
from rliable import library, metrics

from hts_tf.comparison import have_one_scale
from hts_tf.report.runs import Run, common_range

MIN_SEEDS = 3  # of each method on each scenario, below which no interval is given
CONFIDENCE = 0.95
_REPETITIONS = 2000

# What is made of a run, given the range of env steps that all runs on its scenario cover.
Quantity = Callable[[Run, tuple[float, float]], float]


class Estimate(NamedTuple):
    """A number and its bootstrap interval."""

    value: float
    low: float
    high: float


class Sample(NamedTuple):
    """Scores of the same scenarios by several methods.

    Attributes:
      scenarios: names.
      ranges: of env steps, that all runs on each scenario cover.
      scores: method -> [seeds, scenarios].
    """

    scenarios: list[str]
    ranges: list[tuple[float, float]]
    scores: dict[str, np.ndarray]


def sample(runs: Sequence[Run], methods: Sequence[str], quantity: Quantity) -> Sample | None:
    """Puts together those scenarios on which each of the methods has at least `MIN_SEEDS` runs.

    Their scores must have one scale (`comparison.have_one_scale`). A method's seeds must be as many
    on each scenario: the first ones are taken.

    Args:
      runs: of whatever methods and scenarios; see `runs.judged`.
      methods: at least one.
      quantity: of each run.

    Returns:
      None if there are no such scenarios.
    """
    columns: dict[str, list[list[float]]] = {method: [] for method in methods}
    scenarios, ranges = [], []
    for scenario in sorted({run.scenario for run in runs}):
        here = [run for run in runs if run.scenario == scenario and run.method in methods]
        here.sort(key=lambda run: run.seed)
        ends = common_range(here, "env_steps")
        values = {
            method: [quantity(run, ends) for run in here if run.method == method] if ends else []
            for method in methods
        }
        if all(len(column) >= MIN_SEEDS for column in values.values()):
            scenarios.append(scenario)
            ranges.append(ends)
            for method, column in values.items():
                columns[method].append(column)
    if not scenarios or not have_one_scale(scenarios):
        return None
    seeds = {method: min(map(len, column)) for method, column in columns.items()}
    scores = {
        method: np.array([values[: seeds[method]] for values in column]).T
        for method, column in columns.items()
    }
    return Sample(scenarios, ranges, scores)


def interquartile_means(scores: dict[str, np.ndarray]) -> dict[str, Estimate]:
    """Returns the interquartile mean of each method over its seeds and scenarios.

    Args:
      scores: method -> [seeds, scenarios].
    """
    return _bootstrap(scores, lambda x: np.array([metrics.aggregate_iqm(x)]))


def mean_difference(ours: np.ndarray, other: np.ndarray) -> Estimate:
    """Returns by how much the mean of the first is above that of the second.

    Args:
      ours: [seeds, scenarios].
      other: [other seeds, the same scenarios].
    """
    pair = {"": [ours, other]}
    return _bootstrap(pair, lambda x, y: np.array([x.mean() - y.mean()]))[""]


def _bootstrap(scores: dict, function: Callable) -> dict[str, Estimate]:
    """Resamples seeds within each scenario; the same input always gives the same intervals."""
    verbosity, drawn = logging.get_verbosity(), np.random.get_state()
    logging.set_verbosity(logging.WARNING)  # it reports each method that it comes to
    np.random.seed(0)  # by which it draws, whatever random_state it is given
    try:
        values, intervals = library.get_interval_estimates(
            scores, function, reps=_REPETITIONS, confidence_interval_size=CONFIDENCE
        )
    finally:
        np.random.set_state(drawn)
        logging.set_verbosity(verbosity)
    return {
        name: Estimate(float(values[name][0]), *map(float, intervals[name][:, 0]))
        for name in scores
    }
