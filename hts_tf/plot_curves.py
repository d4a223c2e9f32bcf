"""Command line: draws learning curves from the event files of runs."""

import csv
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")  # needs no display

import numpy as np
from absl import app, flags
from matplotlib import pyplot as plt
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.util import tensor_util

import hts_tf.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import (
    errors,
    metrics,
)

_WORKDIRS = flags.DEFINE_list("workdirs", None, "of the runs, separated by commas", required=True)
_OUTPUT = flags.DEFINE_string("output", "curves.png", "picture; a .csv is written beside it")
_TITLE = flags.DEFINE_string("title", "", "above the picture")

_TARGETS = (0.4, 0.8)
_TAGS = ("run/minutes", "episodes/finished", "episodes/score", "episodes/return")


class Curve(NamedTuple):
    """One run over its env steps; all arrays have the same length.

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
        reached = np.flatnonzero((self.score >= target) & (self.finished >= metrics.WINDOW))
        if not len(reached):
            return None
        return int(self.env_steps[reached[0]]), float(self.minutes[reached[0]])


def read_curve(workdir: Path) -> Curve:
    """Reads a run's event files; where a resumed run went over steps again, the last word counts.

    Raises:
      FileNotFoundError: the workdir holds no event files with finished episodes.
    """
    points: dict[str, dict[int, float]] = {tag: {} for tag in _TAGS}
    for path in sorted(workdir.glob("events.out.tfevents.*")):
        events = event_accumulator.EventAccumulator(str(path), size_guidance={"tensors": 0})
        events.Reload()
        for tag in set(_TAGS) & set(events.Tags()["tensors"]):
            for event in events.Tensors(tag):
                points[tag][event.step] = tensor_util.make_ndarray(event.tensor_proto).item()
    steps = sorted(set.intersection(*(set(series) for series in points.values())))
    if not steps:
        raise FileNotFoundError(f"{workdir} holds no event files with finished episodes")
    series = [np.array([points[tag][step] for step in steps]) for tag in _TAGS]
    return Curve(np.array(steps), *series)


def draw(curves: dict[str, Curve], title: str, path: Path) -> None:
    """Draws score against env steps and against minutes."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    for name, curve in curves.items():
        axes[0].plot(curve.env_steps / 1000, curve.score, label=name)
        axes[1].plot(curve.minutes, curve.score, label=name)
    for axis, label in zip(axes, ["env steps (thousands)", "minutes since launch"], strict=True):
        for target in _TARGETS:
            axis.axhline(target, color="grey", linewidth=0.8, linestyle=":")
        axis.set_xlabel(label)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"score (mean of the last {metrics.WINDOW} episodes)")
    axes[0].legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def run(_: list[str]) -> int:
    """Draws, and returns the exit code."""
    plt.style.use("tableau-colorblind10")
    try:
        curves = {Path(name).name: read_curve(Path(name)) for name in _WORKDIRS.value}
    except FileNotFoundError as error:
        return errors.fail(str(error), 2)
    output = Path(_OUTPUT.value)
    draw(curves, _TITLE.value, output)
    with output.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run", *Curve._fields])
        for name, curve in curves.items():
            writer.writerows(
                [name, *(f"{value:g}" for value in row)] for row in zip(*curve, strict=True)
            )
    for name, curve in curves.items():
        for target in _TARGETS:
            reached = curve.first_reached(target)
            text = (
                f"after {reached[0]:,} env steps, {reached[1]:.1f} minutes" if reached else "never"
            )
            print(f"{name}: score {target} {text}")
    return 0


def main() -> None:
    """Entry point."""
    app.run(run)


if __name__ == "__main__":
    main()
