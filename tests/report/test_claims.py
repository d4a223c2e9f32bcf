import pandas as pd
import pytest

from hts_tf.files.curves import TARGETS
from hts_tf.report import claims
from tests.comparisons import run

RISE = [0.0, 0.5, 0.9, 0.9]


def group(method, scores, minutes=1.0, seeds=3, scenario="a"):
    return [run(method, scores, minutes, scenario, seed) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("ours", "ppo", "impala", "verdict"),
    [
        (1, 3, 2, claims.HOLDS),
        (2, 3, 1, claims.FAILS),
        (3, 2, 4, claims.FAILS),
    ],
)
def test_fastest(ours, ppo, impala, verdict):
    runs = group("hts_ppo", RISE, ours) + group("ppo", RISE, ppo) + group("impala", RISE, impala)
    found, evidence = claims.fastest(runs, TARGETS)
    assert found == verdict
    assert f"first in {2 if verdict == claims.HOLDS else 0} of 2 cases" in evidence
    assert f"PPO took {ppo / ours:.2f} times its minutes" in evidence
    assert "Seeds: 3 each." in evidence
    assert "Seeds: 1 to 3 each, too few to exclude chance." in claims.fastest(runs[2:], TARGETS)[1]


def test_fastest_in_one_scenario_of_two():
    runs = [
        *group("hts_ppo", RISE) + group("ppo", RISE, 2),
        *group("hts_ppo", RISE, 2, scenario="b") + group("ppo", RISE, scenario="b"),
    ]
    verdict, evidence = claims.fastest(runs, TARGETS)
    assert verdict == claims.PARTLY
    assert "Beside PPO," in evidence
    assert "not first in b to 0.4, b to 0.8" in evidence


def test_fastest_says_in_which_cases_others_were_run():
    runs = group("hts_ppo", RISE) + group("ppo", RISE, 2)
    runs += group("hts_ppo", RISE, scenario="b") + group("ppo", RISE, 2, scenario="b")
    runs += group("impala", RISE, 2, scenario="b")
    _, evidence = claims.fastest(runs, TARGETS)
    assert "Beside PPO in 4, IMPALA in 2 of 4 cases, by" in evidence
    assert "it was first in 4 of 4 cases" in evidence


def test_fastest_where_the_other_never_got_there():
    """Whether it would have been faster can be told only if it was given at least as long."""
    ours = group("hts_ppo", RISE)
    assert claims.fastest(ours + group("ppo", [0.0] * 4), TARGETS)[0] == claims.HOLDS
    verdict, evidence = claims.fastest(ours + group("ppo", [0.0] * 4, 0.3), TARGETS)
    assert verdict == claims.OPEN
    assert "2 cases" in evidence


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([RISE] * 3, claims.HOLDS),
        ([[0.1, 0.9, 0.9, 0.9]] * 3, claims.HOLDS),
        ([[0.0] * 4] * 3, claims.FAILS),
        ([[0.0] * 4, RISE, [0.9] * 4], claims.OPEN),
        ([RISE] * 2, claims.OPEN),
    ],
)
def test_as_data_efficient(ours, verdict):
    runs = [run("hts_ppo", scores, seed=seed) for seed, scores in enumerate(ours)]
    runs += group("ppo", RISE, scenario="academy_corner")
    found, evidence = claims.as_data_efficient(runs, TARGETS)
    assert found == verdict
    assert ("Too few seeds" in evidence) == (len(ours) < 3)


@pytest.mark.parametrize("scale", [1.0, 500.0])
@pytest.mark.parametrize(("less", "verdict"), [(0.05, claims.HOLDS), (0.3, claims.FAILS)])
def test_what_counts_as_no_difference_goes_by_the_targets(scale, less, verdict):
    runs = group("ppo", [0.8 * scale] * 4) + group("hts_ppo", [(0.8 - less) * scale] * 4)
    targets = [scale * target for target in TARGETS]
    assert claims.as_data_efficient(runs, targets)[0] == verdict
    found, said = claims.as_data_efficient(runs, ())
    assert found == claims.OPEN
    assert "the interval lies above 0." in said


def test_one_run_that_ends_early_decides_nothing():
    ppo = group("ppo", RISE)
    late = [run("hts_ppo", [0.9, 0.0, 0.0, 0.0], scenario="a", seed=seed) for seed in range(3)]
    verdict, evidence = claims.as_data_efficient(late + ppo, TARGETS)
    assert verdict == claims.FAILS
    unfinished = run("hts_ppo", [0.9, 0.0], scenario="a", seed=3, ended="unfinished")
    found, said = claims.as_data_efficient([*late, unfinished, *ppo], TARGETS)
    left_out = " Left out: 1 unfinished run."
    assert left_out in said
    assert (found, said.replace(left_out, "")) == (verdict, evidence)
    diverged = run("hts_ppo", [0.9, 0.0], scenario="a", seed=3, ended="diverged")
    assert claims.as_data_efficient([*late, diverged, *ppo], TARGETS)[0] == verdict
    at_once = run("hts_ppo", [], scenario="a", seed=3, ended="diverged")
    found, said = claims.as_data_efficient([*late, at_once, *ppo], TARGETS)
    assert found == claims.OPEN
    assert " Left out, as out of bounds before a first score: 1. Those that it went well" in said


def test_scores_of_other_scales_have_no_mean():
    runs = group("hts_ppo", [1.0] * 4, scenario="FrozenLake-v1") + group("ppo", [0.1] * 4)
    runs += group("ppo", [0.1] * 4, scenario="FrozenLake-v1") + group("hts_ppo", [0.0] * 4)
    verdict, evidence = claims.as_data_efficient(runs, TARGETS)
    assert (verdict, "have scales of their own" in evidence) == (claims.OPEN, True)


def test_what_is_left_out_is_said_where_nothing_else_is_there():
    runs = [run("hts_ppo", RISE), run("ppo", [0.1], ended="unfinished")]
    found, said = claims.as_data_efficient(runs, TARGETS)
    assert found == claims.MISSING
    assert said.endswith(" Left out: 1 unfinished run.")


def test_without_scores_to_reach_none_was_reached_first():
    runs = group("hts_ppo", RISE) + group("ppo", RISE)
    assert claims.fastest(runs, ()) == (
        claims.MISSING,
        "No scores to reach were given (--targets).",
    )


def test_data_efficiency_does_not_depend_on_speed():
    slow = group("hts_ppo", RISE, 100)
    assert claims.as_data_efficient(slow + group("ppo", RISE), TARGETS)[0] == claims.HOLDS
    assert claims.as_data_efficient(slow + group("ppo", RISE, 500), TARGETS)[0] == claims.HOLDS


@pytest.mark.parametrize(
    ("impala", "verdict"),
    [([0.0, 0.1, 0.2, 0.3], claims.HOLDS), (RISE, claims.OPEN), ([0.9] * 4, claims.FAILS)],
)
def test_less_data_efficient(impala, verdict):
    runs = group("hts_ppo", RISE) + group("impala", impala)
    assert claims.less_data_efficient(runs, TARGETS)[0] == verdict


@pytest.mark.parametrize(
    ("sps", "verdict"),
    [
        ((500, 250, 550), claims.HOLDS),
        ((500, 250, 1000), claims.PARTLY),
        ((200, 250, 550), claims.FAILS),
    ],
)
def test_throughput(sps, verdict):
    methods = ("hts_ppo", "ppo", "impala")
    table = pd.DataFrame({"scenario": "a", "method": methods, "sps": sps})
    found, evidence = claims.throughput(table)
    assert found == verdict
    assert f"{sps[0] / sps[1]:.2f} times PPO's" in evidence


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ([1.0, 1.5, 2.0, 4.0], claims.HOLDS),
        ([1.0, 3.0, 2.0, 2.5], claims.PARTLY),
        ([4.0, 3.0, 2.0, 1.0], claims.FAILS),
    ],
)
def test_speedup_rises(measured, verdict):
    table = pd.DataFrame({"step_variance_sec2": [0, 1e-6, 2e-6, 8e-6], "measured": measured})
    found, evidence = claims.speedup_rises(table)
    assert found == verdict
    assert f"(8 ms²) it goes from {measured[0]:.2f} to {measured[-1]:.2f}" in evidence


def test_speedup_that_is_the_same_everywhere():
    table = pd.DataFrame({"step_variance_sec2": [0, 1e-6, 2e-6], "measured": [1.5] * 3})
    assert claims.speedup_rises(table) == (claims.FAILS, "At every variance it is 1.50.")


def test_what_is_not_there_is_not_judged():
    findings = claims.judge(group("hts_ppo", RISE), pd.DataFrame(
        {"scenario": ["a"], "method": ["hts_ppo"], "sps": [500.0]}), None, TARGETS)  # fmt: skip
    assert {finding.verdict for finding in findings} == {claims.MISSING}
    assert all(finding.evidence for finding in findings)
