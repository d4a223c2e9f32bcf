"""Command line: draws learning curves from the event files of runs."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # needs no display

from absl import flags
from matplotlib import pyplot as plt

from hts_tf import errors
from hts_tf.files.curves import TARGETS, Curve, read_curve
from hts_tf.files.episodes import WINDOW
from hts_tf.system import command, whole
from hts_tf.watching import picture

_WORKDIRS = flags.DEFINE_list("workdirs", None, "of the runs, separated by commas", required=True)
_OUTPUT = flags.DEFINE_string("output", "curves.png", "picture; a .csv is written beside it")
_TITLE = flags.DEFINE_string("title", "", "above the picture")
_TARGETS = flags.DEFINE_list(
    "targets", list(map(str, TARGETS)), "scores of which to say when they were reached"
)

_LEGEND_COLUMNS = 2  # names are long


def draw(curves: dict[str, Curve], targets: list[float], title: str, path: Path) -> None:
    """Draws score against env steps and against minutes, and a line at each target."""
    height = 4.0 + 0.25 * math.ceil(len(curves) / _LEGEND_COLUMNS)
    figure, axes = plt.subplots(1, 2, figsize=(11, height), sharey=True, layout="constrained")
    for name, curve in curves.items():
        axes[0].plot(curve.env_steps / 1000, curve.score, label=name)
        axes[1].plot(curve.minutes, curve.score, label=name)
    for axis, label in zip(axes, ["env steps (thousands)", "minutes since launch"], strict=True):
        for target in targets:
            axis.axhline(target, color="grey", linewidth=0.8, linestyle=":")
        axis.set_xlabel(label)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"score (mean of the last {WINDOW} episodes)")
    # Not among the curves, of which it would hide some.
    names = axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=_LEGEND_COLUMNS, frameon=False)
    figure.suptitle(title)
    picture.write(path, figure, dpi=120)


def _named(workdirs: Sequence[str]) -> dict[str, Path]:
    """Returns workdirs by their last names, or, if some have the same, as they are given."""
    paths = list(map(Path, workdirs))
    names = [path.name for path in paths]
    return dict(zip(names if len({*names}) == len(names) else workdirs, paths, strict=True))


def _cell(value: float) -> str:
    """Writes a number: whole ones, such as env steps, with all their digits."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def plot() -> None:
    """Draws, and prints when the targets were reached.

    Raises:
      ConfigError: a flag cannot be used.
    """
    plt.style.use("tableau-colorblind10")
    try:
        targets = list(map(float, _TARGETS.value))
    except ValueError:
        raise errors.ConfigError(f"--targets={','.join(_TARGETS.value)} are no numbers") from None
    if not _WORKDIRS.value:
        raise errors.ConfigError("--workdirs names no run")
    try:
        curves = {name: read_curve(path) for name, path in _named(_WORKDIRS.value).items()}
    except FileNotFoundError as error:
        raise errors.ConfigError(str(error)) from None
    output = Path(_OUTPUT.value)
    rows = (
        [name, *map(_cell, row)]
        for name, curve in curves.items()
        for row in zip(*curve, strict=True)
    )
    with whole.refusing("--output"):
        draw(curves, targets, _TITLE.value, output)
        whole.write_csv(output.with_suffix(".csv"), ["run", *Curve._fields], rows)
    for name, curve in curves.items():
        for target in targets:
            reached = curve.first_reached(target)
            text = (
                f"after {reached[0]:,} env steps, {reached[1]:.1f} minutes" if reached else "never"
            )
            print(f"{name}: score {target:g} {text}")


def main() -> None:
    """Entry point."""
    command.run(plot)


if __name__ == "__main__":
    main()
