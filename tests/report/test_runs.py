import numpy as np
import pytest

from hts_tf.files.curves import TARGETS
from hts_tf.report import runs
from tests.comparisons import STEPS, run


def test_reached_by_every_seed():
    group = [run("ppo", [0.1, 0.5, 0.9]), run("ppo", [0.4, 0.3, 0.2], 2.0)]
    reach = runs.reach(group, 0.4, "minutes")
    assert (reach.values, reach.seeds) == ([2.0, 2.0], 2)
    assert reach.mean == reach.at_least == 2.0
    reach = runs.reach(group, 0.4, "env_steps")
    assert reach.values == [STEPS, 2 * STEPS]
    assert reach.mean == 1.5 * STEPS


def test_reached_by_some_seeds_is_a_lower_bound():
    group = [run("ppo", [0.1, 0.9]), run("ppo", [0.1] * 5), run("ppo", [0.1] * 6)]
    reach = runs.reach(group, 0.8, "minutes")
    assert (reach.values, reach.seeds, reach.limit) == ([2.0], 3, 5.0)
    assert reach.mean is None
    assert reach.at_least == pytest.approx((2 + 5 + 5) / 3)


def test_reaches_has_each_scenario_and_target():
    group = [run("ppo", [0.5]), run("impala", [0.9], scenario="b")]
    table = runs.reaches(group, "minutes", TARGETS)
    assert list(table) == [(s, t) for s in ("academy_corner", "b") for t in (0.4, 0.8)]
    assert table["academy_corner", 0.4]["ppo"].mean == 1
    assert table["academy_corner", 0.8]["ppo"].mean is None
    assert list(table["b", 0.8]) == ["impala"]


def test_spread_covers_what_all_runs_cover():
    group = [run("ppo", [0, 1, 2, 3]), run("ppo", [2, 2], 1.5)]
    spread = runs.spread(group, "minutes")
    assert (spread.place[0], spread.place[-1]) == (1.5, 3.0)
    np.testing.assert_allclose(spread.low, spread.place - 1)
    np.testing.assert_allclose(spread.high, 2)
    np.testing.assert_allclose(spread.mean, (spread.place + 1) / 2)


@pytest.mark.parametrize("other", [[], [0.5]])
def test_without_a_common_part_there_is_no_spread(other):
    assert runs.spread([run("ppo", [0.1, 0.2]), run("ppo", other)], "env_steps") is None


def test_scores_over_a_range_of_env_steps():
    one = run("ppo", [0, 1, 1, 5])
    ends = (1.0 * STEPS, 3.0 * STEPS)
    assert runs.final_score(one, ends) == 1
    assert runs.mean_score(one, ends) == pytest.approx(0.75, abs=1e-3)


def test_no_run_ends_the_judgement_of_others():
    others = [run("ppo", [0, 1, 2, 3]), run("ppo", [0, 1, 2, 3, 4], scenario="b")]
    nothing = run("ppo", [], seed=3, ended="diverged")  # of which there is no score to keep
    group = [
        *others,
        run("ppo", [0, 0.5], seed=1, ended="diverged"),
        run("ppo", [0], seed=2, ended="unfinished"),
        nothing,
    ]
    *same, carried = runs.judged(group)
    assert same == others
    ends = runs.common_range([others[0], carried], "env_steps")
    assert ends == (STEPS, 4 * STEPS)
    assert runs.final_score(carried, ends) == 0.5
    assert runs.judged([group[2]])[0].curve.env_steps[-1] == 2 * STEPS  # with nobody beside it
