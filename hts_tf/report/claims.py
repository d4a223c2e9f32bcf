"""Says in words which of the poster's claims hold in the runs at hand.

The verdicts are rules over the numbers, and each one's evidence says which.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from hts_tf.comparison import have_one_scale
from hts_tf.measurements import UNFINISHED
from hts_tf.report import statistics
from hts_tf.report.runs import Reach, Run, common_range, judged, mean_score, reaches
from hts_tf.report.style import look, order, title

OURS, SYNCHRONOUS, ASYNCHRONOUS = "hts_ppo", "ppo", "impala"

HOLDS, PARTLY, FAILS = "holds", "holds in part", "does not hold"
OPEN, MISSING = "open", "not measured"

MARGIN = 0.125  # of the largest target: a difference below it counts as none
CLOSE = 0.8  # of IMPALA's env steps per second
STRONG = 0.8  # rank correlation


class Finding(NamedTuple):
    """A claim of the poster, and what the runs say to it."""

    claim: str
    verdict: str
    evidence: str


def judge(
    runs: Sequence[Run],
    table: pd.DataFrame,
    speedups: pd.DataFrame | None,
    targets: Sequence[float],
) -> list[Finding]:
    """Judges every claim.

    Args:
      runs: of the comparison.
      table: the same runs; see `tables.read_runs`.
      speedups: see `systems.speedups`; None without a systems benchmark.
      targets: the scores that runs are to reach.
    """
    return [
        Finding("HTS-RL (PPO) reaches a score in the fewest minutes.", *fastest(runs, targets)),
        Finding("HTS-RL (PPO) is as data-efficient as PPO.", *as_data_efficient(runs, targets)),
        Finding("IMPALA is less data-efficient than HTS-RL (PPO).",
                *less_data_efficient(runs, targets)),
        Finding("HTS-RL makes about as many env steps per second as IMPALA, and more than PPO.",
                *throughput(table)),
        Finding("The speedup of HTS-RL over PPO rises with the variance of the step time.",
                *speedup_rises(speedups)),
    ]  # fmt: skip


def fastest(runs: Sequence[Run], targets: Sequence[float]) -> tuple[str, str]:
    """Judges the minutes to the targets; returns verdict and evidence."""
    if not targets:
        return MISSING, "No scores to reach were given (--targets)."
    won, lost, undecided = [], [], 0
    others_met: Counter[str] = Counter()
    ratios: dict[str, list[float]] = {}
    for (scenario, target), cell in reaches(runs, "minutes", targets).items():
        ours = cell.get(OURS)
        others = {name: cell[name] for name in (SYNCHRONOUS, ASYNCHRONOUS) if name in cell}
        if ours is None or not others:
            continue
        others_met.update(others.keys())
        for name, other in others.items():
            if ours.mean is not None and other.mean is not None:
                ratios.setdefault(name, []).append(other.mean / ours.mean)
        if all(_surely_before(ours, other) for other in others.values()):
            won.append(f"{title(scenario)} to {target}")
        elif any(_surely_before(other, ours) for other in others.values()):
            lost.append(f"{title(scenario)} to {target}")
        else:
            undecided += 1
    decided = len(won) + len(lost)
    if not decided and not undecided:
        return MISSING, _lacking(SYNCHRONOUS, ASYNCHRONOUS)
    if not decided:
        return OPEN, (
            f"In {_count(undecided, 'case')} (a scenario and a target score) the targets were not "
            "reached by enough runs to tell."
        )
    verdict = HOLDS if not lost else PARTLY if won else FAILS
    not_first = f"; not first in {', '.join(lost)}" if lost else ""
    beside = _names_in_cases(others_met, decided + undecided)
    evidence = (
        f"Beside {beside}, by the mean over seeds, it was first in {len(won)} of "
        f"{_count(decided, 'case')} (a scenario and a target score){not_first}."
    )
    if undecided:
        evidence += f" {_count(undecided, 'case')} cannot be told: not reached by enough runs."
    for name, values in ratios.items():
        evidence += (
            f" {look(name).label} took {np.median(values):.2f} times its minutes (median of "
            f"{_count(len(values), 'case')}, {min(values):.2f} to {max(values):.2f})."
        )
    return verdict, evidence + _seeds(runs, (OURS, *others_met))


def as_data_efficient(runs: Sequence[Run], targets: Sequence[float]) -> tuple[str, str]:
    """Judges the curves over env steps against PPO's; returns verdict and evidence."""
    margin = MARGIN * max(map(abs, targets), default=0.0)
    verdict, evidence = _judge_difference(runs, SYNCHRONOUS, -margin, targets)
    if verdict in (HOLDS, FAILS) and not targets:
        return OPEN, f"{evidence} Without --targets nobody knows which differences are small."
    return verdict, evidence


def less_data_efficient(runs: Sequence[Run], targets: Sequence[float]) -> tuple[str, str]:
    """Judges the curves over env steps against IMPALA's; returns verdict and evidence."""
    return _judge_difference(runs, ASYNCHRONOUS, 0, targets)


def throughput(table: pd.DataFrame) -> tuple[str, str]:
    """Judges the env steps per second of the training runs; returns verdict and evidence."""
    sps = table.pivot_table(index="scenario", columns="method", values="sps")
    sps = sps.reindex(columns=[OURS, SYNCHRONOUS, ASYNCHRONOUS]).dropna()
    if sps.empty:
        return MISSING, f"No scenario was run with each of {OURS}, {SYNCHRONOUS}, {ASYNCHRONOUS}."
    to_ppo, to_impala = sps[OURS] / sps[SYNCHRONOUS], sps[OURS] / sps[ASYNCHRONOUS]
    good = (to_ppo > 1) & (to_impala >= CLOSE)
    verdict = HOLDS if good.all() else PARTLY if (to_ppo > 1).any() else FAILS
    evidence = (
        f"In the training runs it made {_span(to_ppo)} times PPO's env steps per second and "
        f"{_span(to_impala)} times IMPALA's ({_count(len(sps), 'scenario')}). The claim counts as "
        f"holding if the first is above 1 and the second at least {CLOSE} everywhere."
    )
    return verdict, evidence


def speedup_rises(speedups: pd.DataFrame | None) -> tuple[str, str]:
    """Judges the systems benchmark; returns verdict and evidence."""
    if speedups is None or speedups["step_variance_sec2"].nunique() < 3:
        return MISSING, "The systems benchmark with at least three variances is wanted for this."
    variance, speedup = speedups["step_variance_sec2"], speedups["measured"]
    if speedup.nunique() < 2:
        return FAILS, f"At every variance it is {speedup.iloc[0]:.2f}."
    correlation = variance.rank().corr(speedup.rank())
    verdict = HOLDS if correlation >= STRONG else PARTLY if correlation > 0 else FAILS
    first, last = speedups.iloc[variance.argmin()], speedups.iloc[variance.argmax()]
    evidence = (
        f"From the lowest variance ({1e6 * first['step_variance_sec2']:.3g} ms²) to the highest "
        f"({1e6 * last['step_variance_sec2']:.3g} ms²) it goes from {first['measured']:.2f} to "
        f"{last['measured']:.2f}; rank correlation {correlation:.2f} over "
        f"{_count(len(speedups), 'configuration')} (Spearman; the claim counts as holding from "
        f"{STRONG} on)."
    )
    return verdict, evidence


# ---- What the judgements have in common ---------------------------------------------------------


def _surely_before(a: Reach, b: Reach) -> bool:
    """Says whether the mean of one is known to be below that of the other."""
    return a.mean is not None and a.mean < b.at_least


def _judge_difference(
    runs: Sequence[Run], other: str, least: float, targets: Sequence[float]
) -> tuple[str, str]:
    """Judges whether mean scores are above another method's by more than so much."""
    of_both = [run for run in runs if run.method in (OURS, other)]
    kept = judged(of_both)
    unfinished = sum(run.ended == UNFINISHED for run in of_both)
    without_score = len(of_both) - len(kept) - unfinished
    left_out = f" Left out: {_count(unfinished, 'unfinished run')}." if unfinished else ""
    if without_score:
        left_out += f" Left out, as out of bounds before a first score: {without_score}."
    difference, evidence = _difference(kept, other, targets)
    if difference is None:
        return (OPEN if evidence else MISSING), (evidence or _lacking(other)) + left_out
    if without_score:
        return OPEN, f"{evidence}{left_out} Those that it went well with do not decide."
    shown = f"{least + 0.0:g}"  # not -0
    evidence += f"{left_out} The claim counts as holding if the interval lies above {shown}."
    if difference.low > least:
        return HOLDS, evidence
    return (FAILS if difference.high < least else OPEN), evidence


def _difference(
    runs: Sequence[Run], other: str, targets: Sequence[float]
) -> tuple[statistics.Estimate | None, str]:
    """Compares mean scores over env steps with another method's.

    Args:
      runs: of both methods, see `runs.judged`.
      other: the other method.
      targets: the scores that runs are to reach.

    Returns:
      The difference, ours minus the other's, None if there are too few seeds; and in words what
      there is, empty if nothing can be compared.
    """
    played = ({run.scenario for run in runs if run.method == method} for method in (OURS, other))
    scenarios = sorted(set.intersection(*played))
    sample = statistics.sample(runs, (OURS, other), mean_score)
    if sample is None and not have_one_scale(scenarios):
        names = ", ".join(map(title, scenarios))
        return None, (
            f"Scores on {names} have scales of their own, so that a mean over them says nothing: "
            "make a report of each."
        )
    what = f"the mean score over env steps, minus {look(other).label}'s,"
    if sample is not None:
        difference = statistics.mean_difference(sample.scores[OURS], sample.scores[other])
        text = (
            f"On {_count(len(sample.scenarios), 'scenario')} {what} is {difference.value:+.3f} "
            f"({100 * statistics.CONFIDENCE:.0f}\u00a0% interval {difference.low:+.3f} to "
            f"{difference.high:+.3f})."
        )
        return difference, text + _steps_ratio(runs, other, targets) + _seeds(runs, (OURS, other))
    differences = []
    for scenario in sorted({run.scenario for run in runs}):
        groups = [
            [run for run in runs if (run.scenario, run.method) == (scenario, method)]
            for method in (OURS, other)
        ]
        ends = common_range([*groups[0], *groups[1]], "env_steps")
        if ends and all(groups):
            means = [np.mean([mean_score(run, ends) for run in group]) for group in groups]
            differences.append(means[0] - means[1])
    if not differences:
        return None, ""
    text = (
        f"Too few seeds for an interval (at least {statistics.MIN_SEEDS} of both methods on a "
        f"scenario are wanted). On {_count(len(differences), 'scenario')} {what} is "
        f"{np.mean(differences):+.3f}."
    )
    return None, text + _steps_ratio(runs, other, targets) + _seeds(runs, (OURS, other))


def _steps_ratio(runs: Sequence[Run], other: str, targets: Sequence[float]) -> str:
    ratios = [
        cell[OURS].mean / cell[other].mean
        for cell in reaches(runs, "env_steps", targets).values()
        if {OURS, other} <= set(cell) and cell[OURS].mean and cell[other].mean
    ]
    if not ratios:
        return ""
    return (
        f" To the target scores it took {np.median(ratios):.2f} times the env steps (median of "
        f"{_count(len(ratios), 'case')} that all seeds reached)."
    )


def _lacking(*others: str) -> str:
    return f"No scenario has scores of both {OURS} and {' or '.join(others)} to compare."


def _seeds(runs: Sequence[Run], methods: Sequence[str]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for run in runs:
        if run.method in methods:
            counts[run.scenario, run.method] = counts.get((run.scenario, run.method), 0) + 1
    low, high = min(counts.values()), max(counts.values())
    chance = ", too few to exclude chance" if low < statistics.MIN_SEEDS else ""
    return f" Seeds: {low if low == high else f'{low} to {high}'} each{chance}."


def _span(values: pd.Series) -> str:
    if len(values) == 1:
        return f"{values.iloc[0]:.2f}"
    return f"{values.min():.2f} to {values.max():.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _names_in_cases(counts: Mapping[str, int], cases: int) -> str:
    """Names methods, and in how many of the cases they were run where that is not in all."""
    if min(counts.values()) == cases:
        return _names(counts)
    named = ", ".join(f"{look(method).label} in {counts[method]}" for method in order(counts))
    return f"{named} of {_count(cases, 'case')}"


def _names(methods: Iterable[str]) -> str:
    return " and ".join(look(method).label for method in order(methods))
