"""Draws pictures of the systems benchmark; each function returns one for the caller to close."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from scipy.stats import t as student

from hts_tf.report import style
from hts_tf.report.figures import label_rows, legend_above, panels
from hts_tf.report.style import plt

SCHEDULES = {"hts": "hts_ppo", "sync": "ppo", "async": "impala"}  # look like their methods
SCHEDULE_LABELS = {"hts": "HTS-RL (hts)", "sync": "PPO (sync)", "async": "IMPALA (async)"}

_GAMMA = "gamma, constant, exponential"
_FAMILIES = {"gamma": _GAMMA, "constant": _GAMMA, "exponential": _GAMMA}  # which are all gamma's


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
    label_rows(axes, "env steps per second")
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
            yerr=student.ppf(0.975, mine["intervals"] - 1) * mine["interval_std_error_sec"],
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


def _legend_schedules(figure: Figure, schedules: list[str]) -> None:
    looks = [style.look(SCHEDULES[schedule]) for schedule in schedules]
    handles = [
        plt.Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker)
        for look in looks
    ]
    legend_above(figure, handles, [SCHEDULE_LABELS[schedule] for schedule in schedules])


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
