"""The page of a sweep: its best trials, curves, and what was tried against what came of it."""

from collections.abc import Sequence
from typing import Any

from matplotlib import ticker
from matplotlib.figure import Figure

from hts_tf.files.episodes import WINDOW
from hts_tf.report import figures, page, style
from hts_tf.report.page import Picture
from hts_tf.sweeping import record
from hts_tf.sweeping.making import Plan
from hts_tf.sweeping.record import COMPLETE, REFUSED, Outcome

_NUM_BEST = 10
_FEW = 5  # values, that are ticks of an axis


def write(
    plan: Plan,
    names: Sequence[str],
    outcomes: Sequence[Outcome],
    identity: dict[str, Any],
    command: str,
) -> None:
    """Writes report.html and its pictures.

    Args:
      plan: of the sweep.
      names: of what is searched.
      outcomes: of its trials.
      identity: see `record.claim`.
      command: that made them.
    """
    style.use()
    ranked = [outcome for outcome in record.best(outcomes) if outcome.state != REFUSED]
    axis = "env steps" if plan.minutes is None else "minutes"
    states = [outcome.state for outcome in outcomes]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    page.write(
        plan.directory / "report.html",
        "sweep.html",
        title=f"Sweep of {', '.join(names)}",
        summary=f"{len(outcomes)} trials ({counts}) of {len(plan.runs)} run"
        f"{'s' if len(plan.runs) > 1 else ''}, "
        f"{sum(outcome.env_steps for outcome in outcomes):,} env steps, "
        f"{sum(outcome.minutes for outcome in outcomes) / 60:.1f} hours of training.",
        names=names,
        best=[
            (o.trial, f"{o.value:.3f}", *o.values, f"{o.env_steps:,}", f"{o.minutes:.1f}")
            for o in ranked[:_NUM_BEST]
        ],
        over=f"a run's {axis}",
        axis=axis,
        window=WINDOW,
        curves=Picture.of(_curves(plan, ranked, axis), plan.directory / "report_curves.png"),
        values=Picture.of(_values(names, ranked), plan.directory / "report_values.png"),
        origin=identity,
        command=command,
    )


def _curves(plan: Plan, ranked: Sequence[Outcome], axis: str) -> Figure:
    """Draws a panel for each run, a line for each trial."""
    figure, axes = figures.panels(len(plan.runs))
    for number, (panel, run) in enumerate(zip(axes, plan.runs, strict=True)):
        for outcome in reversed(ranked):
            curve = outcome.curves[number]
            places = curve.env_steps if plan.minutes is None else curve.minutes
            look = {"color": style.GREY if outcome.state == COMPLETE else style.ORANGE}
            if outcome is ranked[0]:
                look = {"color": style.BLUE, "linewidth": 2.2}
            panel.plot(places, curve.score, **{"linewidth": 0.9, **look})
        panel.set_title(f"{style.title(run.scenario)}, seed {run.seed}")
        panel.set_xlabel(axis)
        panel.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
        panel.set_ylabel("score")
    return figure


def _values(names: Sequence[str], outcomes: Sequence[Outcome]) -> Figure:
    """Draws a panel for each setting: values against it."""
    figure, axes = figures.panels(len(names))
    for number, (panel, name) in enumerate(zip(axes, names, strict=True)):
        tried = [outcome.values[number] for outcome in outcomes]
        try:
            places = [float(text) for text in tried]
            distinct = sorted({*places})
            low, high = min(places), max(places)
            spread = low > 0 and high / low > 5
            if spread:
                panel.set_xscale("log")
                steps = (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
                panel.xaxis.set_major_locator(ticker.LogLocator(subs=steps))
                panel.xaxis.set_major_formatter("{x:g}")
                panel.xaxis.set_minor_formatter(ticker.NullFormatter())
            if len(distinct) <= _FEW < len(places):
                panel.set_xticks(distinct, [f"{place:g}" for place in distinct])
            elif not spread:
                are_whole = all(place.is_integer() for place in places)
                panel.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=are_whole))
        except ValueError:  # names; or all were refused, and there is nothing
            order = sorted(set(tried))
            places = [order.index(text) for text in tried]
            panel.set_xticks(range(len(order)), order)
        for place, outcome in zip(places, outcomes, strict=True):
            inside = style.BLUE if outcome.state == COMPLETE else "none"
            panel.scatter(place, outcome.value, s=22, facecolor=inside, edgecolor=style.BLUE)
        panel.set_xlabel(name)
        panel.set_ylabel("value")
    return figure
