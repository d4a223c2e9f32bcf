"""Draws the report's pictures; each function returns a figure for the caller to close."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from hts_tf.files.curves import TARGETS
from hts_tf.report import style
from hts_tf.report.runs import Run, spread
from hts_tf.report.statistics import Estimate
from hts_tf.report.style import plt

SCHEDULES = {"hts": "hts_ppo", "sync": "ppo", "async": "impala"}  # look like their methods
SCHEDULE_LABELS = {"hts": "HTS-RL (hts)", "sync": "PPO (sync)", "async": "IMPALA (async)"}

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

_GAMMA = "gamma, constant, exponential"
_FAMILIES = {"gamma": _GAMMA, "constant": _GAMMA, "exponential": _GAMMA}  # which are all gamma's

_PANEL = (3.1, 2.5)  # inches


def scores(runs: Sequence[Run], axis: str) -> Figure:
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
        for target in TARGETS:
            panel.axhline(target, color="black", linewidth=0.7, linestyle=":", zorder=1)
        panel.set_title(style.title(scenario))
        panel.set_xlabel(label)
        panel.set_xlim(left=0)
    _label_rows(axes, "score")
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


def throughput(systems: pd.DataFrame) -> Figure | None:
    """Draws env steps per second against the number of environments: a panel for each scenario.

    Args:
      systems: rows of the systems benchmark.

    Returns:
      None if there are no such rows.
    """
    rows = systems[systems["sweep"] == "num_envs"]
    if rows.empty:
        return None
    groups = list(rows.groupby(["scenario", "step_time"], dropna=False, sort=False))
    figure, axes = panels(len(groups))
    for panel, ((scenario, step_time), group) in zip(axes, groups, strict=True):
        for schedule in _schedules(group):
            line = group[group["schedule"] == schedule].groupby("num_envs")["sps"].mean()
            _marked(panel, schedule, line.index, line.to_numpy())
        name = style.title(scenario)
        panel.set_title(name if pd.isna(step_time) else f"{name}, {_step_time(step_time)}")
        panel.set_xlabel("number of environments")
        panel.set_ylim(bottom=0)
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        panel.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    _label_rows(axes, "env steps per second")
    _legend_schedules(figure, _schedules(rows))
    return figure


def interval_times(systems: pd.DataFrame) -> Figure | None:
    """Draws measured against expected seconds from sync point to sync point.

    Args:
      systems: rows of the systems benchmark.

    Returns:
      None if no row has an expected time.
    """
    rows = systems.dropna(subset=["expected_interval_sec"])
    if rows.empty:
        return None
    figure, axis = plt.subplots(figsize=(4.2, 3.6))
    for schedule in _schedules(rows):
        mine = rows[rows["schedule"] == schedule]
        look = style.look(SCHEDULES[schedule])
        axis.errorbar(
            mine["expected_interval_sec"],
            mine["interval_sec"],
            yerr=1.96 * mine["interval_std_error_sec"],
            color=look.color,
            marker=look.marker,
            linestyle="none",
            markerfacecolor="none",
            elinewidth=0.9,
            label=SCHEDULE_LABELS[schedule],
        )
    values = rows[["expected_interval_sec", "interval_sec"]].to_numpy()
    ends = np.array([values.min() / 1.15, values.max() * 1.15])
    axis.plot(ends, ends, color="black", linewidth=0.8, linestyle=":", label="as expected")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(ends)
    axis.set_ylim(ends)
    _plain_log_ticks(axis.xaxis, axis.yaxis)
    axis.set_xlabel("expected seconds per interval")
    axis.set_ylabel("measured seconds per interval")
    axis.legend(loc="upper left")
    return figure


def speedup(speedups: pd.DataFrame) -> Figure | None:
    """Draws how many times faster `hts` is than `sync`, against the variance of the step time.

    Args:
      speedups: see `systems.speedups`.

    Returns:
      None if there are none.
    """
    if speedups.empty:
        return None
    figure, axis = plt.subplots(figsize=(4.6, 3.2))
    looks = [(style.BLUE, "o"), (style.VERMILLION, "s"), (style.GREEN, "^"), (style.PURPLE, "D")]
    families = speedups["step_time"].str.partition(":")[0].replace(_FAMILIES)
    groups = speedups.groupby(families, sort=False)
    for (family, rows), (color, marker) in zip(groups, itertools.cycle(looks), strict=False):
        variance = 1e6 * rows["step_variance_sec2"]
        axis.plot(variance, rows["measured"], color=color, marker=marker, label=family)
        hollow = {"markerfacecolor": "none", "markersize": 8, "linestyle": ":", "linewidth": 1}
        axis.plot(variance, rows["expected"], color=color, marker=marker, **hollow)
    axis.plot([], [], color="grey", marker="o", label="as expected", **hollow)
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("variance of the step time [ms²]")
    axis.set_ylabel("speedup of hts over sync")
    axis.legend()
    return figure


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


def _label_rows(axes: list[Axes], label: str) -> None:
    for axis in axes:
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel(label)


def _legend(figure: Figure, methods: list[str]) -> None:
    handles = [
        plt.Line2D([], [], color=look.color, linestyle=look.line)
        for look in map(style.look, methods)
    ]
    _legend_above(figure, handles, [style.look(method).label for method in methods])


def _legend_schedules(figure: Figure, schedules: list[str]) -> None:
    looks = [style.look(SCHEDULES[schedule]) for schedule in schedules]
    handles = [
        plt.Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker)
        for look in looks
    ]
    _legend_above(figure, handles, [SCHEDULE_LABELS[schedule] for schedule in schedules])


def _legend_above(figure: Figure, handles: list, labels: list[str]) -> None:
    columns = max(1, min(len(labels), round(figure.get_figwidth() / 1.5)))
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, handlelength=2.8)


def _marked(axis: Axes, schedule: str, x: Sequence[float], y: Sequence[float]) -> None:
    look = style.look(SCHEDULES[schedule])
    axis.plot(x, y, color=look.color, linestyle=look.line, marker=look.marker)


def _schedules(rows: pd.DataFrame) -> list[str]:
    return [schedule for schedule in SCHEDULES if schedule in set(rows["schedule"])]


def _step_time(name: str) -> str:
    """Returns how a distribution of step times is called in a picture."""
    family, _, parameter = name.partition(":")
    return f"{family} (shape {parameter})" if parameter else family


def _plain_log_ticks(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 3, 5)))
        axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.set_minor_locator(ticker.NullLocator())
