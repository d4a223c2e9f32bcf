"""Draws pictures of comparisons; each function returns a figure for the caller to close."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hts_tf.report import style
from hts_tf.report.runs import Run, spread
from hts_tf.report.statistics import Estimate
from hts_tf.report.style import plt

# What roles do with their time: what each part of a bar is called, its color (none that a method
# has), its activities.
ACTIVITIES = (
    ("working (stepping, inference, updating)", style.SLATE, ("step", "inference", "update")),
    ("resetting environments", style.LIGHT_SLATE, ("reset",)),
    (
        "waiting for input (actions, observations, rollouts)",
        style.YELLOW,
        ("wait_action", "wait_state", "wait_rollout"),
    ),
    ("waiting at sync points", style.PURPLE, ("wait_sync",)),
)
REST = ("the rest (hand-over, Python)", style.LIGHT_GREY)

_PANEL = (3.1, 2.5)  # inches


def scores(runs: Sequence[Run], axis: str, targets: Sequence[float]) -> Figure:
    """Draws score against env steps or minutes: a panel for each scenario, a line for a method.

    Lines are means over seeds, as far as all of them go, in a band from minimum to maximum; thin
    lines continue the single seeds.
    """
    scenarios = sorted({run.scenario for run in runs})
    figure, axes = panels(len(scenarios))
    for panel, scenario in zip(axes, scenarios, strict=True):
        here = [run for run in runs if run.scenario == scenario]
        scale, label = _axis_scale(here, axis)
        for method in style.order(run.method for run in here):
            _draw_method(panel, [run for run in here if run.method == method], axis, scale)
        for target in targets:
            panel.axhline(target, color="black", linewidth=0.7, linestyle=":", zorder=1)
        panel.set_title(style.title(scenario))
        panel.set_xlabel(label)
        panel.set_xlim(left=0)
    label_rows(axes, "score")
    _legend(figure, style.order(run.method for run in runs))
    return figure


def _draw_method(panel: Axes, runs: list[Run], axis: str, scale: float) -> None:
    look = style.look(runs[0].method)
    together = spread(runs, axis)
    end = -np.inf
    if together is not None:
        place, mean, low, high = together
        end = place[-1]
        panel.plot(place / scale, mean, color=look.color, linestyle=look.line, zorder=3)
        if len(runs) > 1:
            band = {"color": look.color, "alpha": 0.18, "linewidth": 0}
            panel.fill_between(place / scale, low, high, **band)
    for run in runs:
        place = run.places(axis)
        rest = place >= end
        thin = {"color": look.color, "linewidth": 0.6, "alpha": 0.6, "zorder": 2}
        panel.plot(place[rest] / scale, run.curve.score[rest], **thin)


def _axis_scale(runs: Sequence[Run], axis: str) -> tuple[float, str]:
    """Returns by what to divide an axis, and its label."""
    if axis == "minutes":
        return 1.0, "minutes"
    largest = max(run.env_steps for run in runs)
    return (1e6, "env steps (millions)") if largest >= 1e6 else (1e3, "env steps (thousands)")


def time_shares(shares: pd.DataFrame) -> Figure:
    """Draws what each role does with its time: a panel for each role, a bar for each method.

    Args:
      shares: columns method, role, activity, share (0 to 1), one row for each combination.
    """
    roles = [role for role in ("executor", "actor", "learner") if role in set(shares["role"])]
    methods = style.order(shares["method"])
    size = (2.4 * len(roles) + 1.4, 0.4 * len(methods) + 1.5)
    figure, axes = plt.subplots(1, len(roles), figsize=size, sharey=True, squeeze=False)
    for axis, role in zip(axes[0], roles, strict=True):
        _draw_role(axis, shares[shares["role"] == role], methods)
        axis.set_title(role)
    _name_rows(axes[0][0], methods)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=1, fontsize=8)
    return figure


def _draw_role(axis: Axes, shares: pd.DataFrame, methods: list[str]) -> None:
    table = shares.pivot_table(index="method", columns="activity", values="share").reindex(methods)
    rows = range(len(methods))
    left = np.zeros(len(methods))
    bar = {"height": 0.7, "edgecolor": "white", "linewidth": 0.5}
    for label, color, activities in ACTIVITIES:
        width = table.reindex(columns=activities).sum(axis=1).to_numpy()
        axis.barh(rows, width, left=left, label=label, color=color, **bar)
        left += width
    rest = np.clip(1 - left, 0, None)
    axis.barh(rows, rest, left=left, label=REST[0], color=REST[1], **bar)
    axis.set_xlim(0, 1)
    axis.set_xticks(np.linspace(0, 1, 5), [0, 25, 50, 75, 100])
    axis.set_xlabel("% of its time")
    axis.grid(axis="y", visible=False)


def estimates(panels: Mapping[str, Mapping[str, Estimate]]) -> Figure:
    """Draws point estimates with their intervals: a panel for each quantity.

    Args:
      panels: label of the quantity -> method -> estimate.
    """
    methods = style.order(method for panel in panels.values() for method in panel)
    size = (2.8 * len(panels) + 1.2, 0.32 * len(methods) + 0.8)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for axis, (label, panel) in zip(axes[0], panels.items(), strict=True):
        for row, method in enumerate(methods):
            look, estimate = style.look(method), panel[method]
            axis.plot([estimate.low, estimate.high], [row, row], color=look.color, linewidth=3)
            point = {"marker": look.marker, "markersize": 6, "markeredgecolor": "white"}
            axis.plot(estimate.value, row, color=look.color, **point)
        axis.set_xlabel(label)
        axis.grid(axis="y", visible=False)
        axis.margins(y=0.15)
    _name_rows(axes[0][0], methods)
    return figure


# ---- What pictures have in common ---------------------------------------------------------------


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Makes so many panels, at most three in a row."""
    columns = 2 if count == 4 else min(count, 3)
    rows = math.ceil(count / columns)
    size = (max(_PANEL[0] * columns, 4.2), _PANEL[1] * rows + 0.3)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def _name_rows(axis: Axes, methods: list[str]) -> None:
    """Writes methods beside the rows, the first one at the top."""
    axis.set_yticks(range(len(methods)), [style.look(method).label for method in methods])
    axis.invert_yaxis()


def label_rows(axes: list[Axes], label: str) -> None:
    """Writes what their vertical axes are, of those that begin a row."""
    for axis in axes:
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel(label)


def _legend(figure: Figure, methods: list[str]) -> None:
    handles = [
        plt.Line2D([], [], color=look.color, linestyle=look.line)
        for look in map(style.look, methods)
    ]
    legend_above(figure, handles, [style.look(method).label for method in methods])


def legend_above(figure: Figure, handles: list, labels: list[str]) -> None:
    """Writes what lines are, above all panels."""
    columns = max(1, min(len(labels), round(figure.get_figwidth() / 1.5)))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, handlelength=2.8)
