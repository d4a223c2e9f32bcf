"""Pictures of learning curves: score against env steps and against minutes."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hts_tf.files.curves import Curve
from hts_tf.files.episodes import WINDOW
from hts_tf.watching import picture
from hts_tf.watching.picture import plt

_LEGEND_COLUMNS = 2  # names are long
_COLOURS = 10  # after so many, lines look otherwise
_LINES = ("-", "--", ":", "-.")


def draw(curves: Mapping[str, Curve], targets: Sequence[float], title: str, path: Path) -> None:
    """Draws score against env steps and against minutes, and a line at each target."""
    plt.style.use("tableau-colorblind10")
    height = 4.0 + 0.25 * math.ceil(len(curves) / _LEGEND_COLUMNS)
    figure, axes = plt.subplots(1, 2, figsize=(11, height), sharey=True, layout="constrained")
    for number, (name, curve) in enumerate(curves.items()):
        line = _LINES[number // _COLOURS % len(_LINES)]
        label = f" {name}"  # one that begins with _ would be no label to matplotlib
        axes[0].plot(curve.env_steps / 1000, curve.score, line, label=label)
        axes[1].plot(curve.minutes, curve.score, line, label=label)
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
    picture.write(path, figure)
