"""What the runs of a comparison measured, as CSV and as a table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, harmonic_mean, median
from typing import Any, NamedTuple

from hts_tf.comparison import Run
from hts_tf.files.curves import Curve, RunLog
from hts_tf.system import whole

# Why a run ended.
REACHED, ENV_STEPS, MINUTES, UNFINISHED = "reached", "env_steps", "minutes", "unfinished"
STOPPED, DIVERGED = "stopped", "diverged"


class Measured(NamedTuple):
    """What a run measured, up to now or its end.

    Attributes:
      curve: its learning curve.
      env_steps: made.
      seconds: since launch, without the time between an interruption and its resumption.
      sps: env steps per second of their rounds, so without the trainer's start-up, but with
        the executors' and what is compiled in the first ones; None before the first.
      policy_lag: mean of all updates; None before the first.
      time_shares: (role, activity) -> mean of all rounds' shares of the role's time. The learner's
        fingerprint is part of its update.
      ended: why: `REACHED` (all targets, or the score to stop at), `ENV_STEPS` (all of them are
        made), `MINUTES` (are over), `STOPPED` (an observer has asked for that), `DIVERGED`
        (learning went out of bounds), or `UNFINISHED`.
    """

    curve: Curve
    env_steps: int
    seconds: float
    sps: float | None
    policy_lag: float | None
    time_shares: dict[tuple[str, str], float]
    ended: str


def why_over(
    log: RunLog,
    minutes: float,
    targets: Sequence[float],
    total_env_steps: float = math.inf,
    stop_at_score: float = math.inf,
) -> str:
    """Returns why a run is over; see `Measured.ended`."""
    curve = log.curve()
    goals = targets if math.isinf(stop_at_score) else (stop_at_score,)
    if goals and all(map(curve.first_reached, goals)):
        return REACHED
    if log.env_steps >= total_env_steps:
        return ENV_STEPS
    return MINUTES if log.minutes >= minutes else UNFINISHED


def measure(
    log: RunLog,
    minutes: float,
    targets: Sequence[float],
    total_env_steps: int,
    stop_at_score: float = math.inf,
) -> Measured:
    """Takes from a run's scalars what is compared.

    Args:
      log: of the run.
      minutes: that a run may take.
      targets: scores; a run that has reached all of them is over, if there are any.
      total_env_steps: that a run makes.
      stop_at_score: at which it ends before, instead of at the targets; infinity for these.
    """
    # All rounds have the same number of env steps.
    sps = list(log.series.get("throughput/sps", {}).values())
    lags = list(log.series.get("learner/policy_lag", {}).values())
    shares = {}
    for tag, series in log.series.items():
        group, _, name = tag.partition("/")
        if group == "time":
            role, _, activity = name.partition("_")
            shares[role, activity] = fmean(series.values())
    return Measured(
        curve=log.curve(),
        env_steps=log.env_steps,
        seconds=60 * log.minutes,
        sps=harmonic_mean(sps) if sps else None,
        policy_lag=fmean(lags) if lags else None,
        time_shares=shares,
        ended=why_over(log, minutes, targets, total_env_steps, stop_at_score),
    )


def write(directory: Path, results: Mapping[Run, Measured]) -> None:
    """Writes scores.csv, time_shares.csv and runs.csv, each complete or as it was."""
    scores, shares, runs = [], [], []
    for run, measured in results.items():
        curve = measured.curve
        for point in zip(curve.env_steps, curve.minutes, curve.score, curve.finished, strict=True):
            env_steps, minutes, score, finished = point
            scores.append((*run, env_steps, 60 * minutes, score, int(finished)))
        shares += [(*run, *key, share) for key, share in sorted(measured.time_shares.items())]
        score = curve.score[-1] if len(curve.score) else None
        pace = (measured.env_steps, measured.seconds, measured.sps, measured.policy_lag)
        runs.append((*run, *pace, score, measured.ended))
    for name, columns, rows in [
        ("scores", ("env_steps", "seconds", "score", "finished_episodes"), scores),
        ("time_shares", ("role", "activity", "share"), shares),
        ("runs", ("env_steps", "seconds", "sps", "policy_lag", "score", "ended"), runs),
    ]:
        _write_csv(directory / f"{name}.csv", (*Run._fields, *columns), rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    shown = ((f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row) for row in rows)
    whole.write_csv(path, columns, shown)


def line(measured: Measured, targets: Sequence[float]) -> str:
    """Says in a line how a run ended."""
    reached = []
    for target in targets:
        at = measured.curve.first_reached(target)
        after = f"after {at[1]:.1f} minutes, {at[0]:,} env steps" if at else "never"
        reached.append(f"score {target:g} {after}; ")
    scores = measured.curve.score
    if not targets and len(scores):
        reached.append(f"score {scores[-1]:.4g}; ")
    sps = f"{measured.sps:,.0f}" if measured.sps else "-"
    return (
        f"{''.join(reached)}ended ({measured.ended}) "
        f"after {measured.seconds / 60:.1f} minutes, {measured.env_steps:,} env steps, {sps} SPS"
    )


def table(results: Mapping[Run, Measured], targets: Sequence[float]) -> str:
    """Writes the medians over seeds of minutes and env steps to each target, for a screen.

    A run that did not reach a target counts as one that takes for ever. Without targets, it has the
    last scores.
    """
    rows = dict.fromkeys((run.scenario, run.method) for run in results)
    widths = [max(map(len, names)) for names in zip(*rows, strict=True)]
    heads = [f"minutes, env steps to {target:g}" for target in targets] or ["score at the end"]
    lines = [" " * (sum(widths) + 2) + "".join(f"{head:>28}" for head in heads)]
    for row in rows:
        name = "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True))
        curves = [m.curve for run, m in results.items() if (run.scenario, run.method) == row]
        cells = []
        for target in targets:
            reached = [curve.first_reached(target) or (math.inf, math.inf) for curve in curves]
            env_steps, minutes = map(median, zip(*reached, strict=True))
            cells.append("-" if minutes == math.inf else f"{minutes:,.1f}, {env_steps:,.0f}")
        if not targets:
            last = [curve.score[-1] for curve in curves if len(curve.score)]
            cells.append(f"{median(last):.4g}" if last else "-")
        lines.append(name + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines)
