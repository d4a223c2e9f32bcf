import numpy as np
import pytest

from hts_tf.report import statistics
from hts_tf.report.runs import final_score
from tests.comparisons import run


def seeds(method, finals, scenario):
    return [run(method, [0, x], scenario=scenario, seed=i) for i, x in enumerate(finals)]


def test_a_sample_has_the_scenarios_with_enough_seeds():
    a, b, c = "academy_corner", "academy_empty_goal", "academy_run_to_score"
    runs = [
        *seeds("ppo", [0.5, 0.6, 0.7, 0.8], a),
        *seeds("impala", [0.1, 0.2, 0.3], a),
        *seeds("ppo", [0.9, 0.8, 0.7], b),
        *seeds("impala", [0.3, 0.2, 0.1], b),
        *seeds("ppo", [0, 0, 0], c),
        *seeds("impala", [0, 0], c),
    ]
    sample = statistics.sample(runs[::-1], ["ppo", "impala"], final_score)
    assert sample.scenarios == [a, b]
    np.testing.assert_allclose(sample.scores["ppo"], [[0.5, 0.9], [0.6, 0.8], [0.7, 0.7]])
    np.testing.assert_allclose(sample.scores["impala"], [[0.1, 0.3], [0.2, 0.2], [0.3, 0.1]])
    assert statistics.sample(runs, ["ppo"], final_score).scenarios == [a, b, c]


def test_scores_of_other_scales_are_not_put_together():
    runs = [
        *seeds("ppo", [200, 300, 400], "CartPole-v1"),
        *seeds("ppo", [0, 1, 1], "FrozenLake-v1"),
    ]
    assert statistics.sample(runs, ["ppo"], final_score) is None
    assert statistics.sample(runs[:3], ["ppo"], final_score).scenarios == ["CartPole-v1"]


def test_runs_are_measured_where_all_of_them_were():
    long = [run("ppo", [0, 0.5, 1], seed=seed) for seed in range(3)]
    short = [run("impala", [0, 0.1], seed=seed) for seed in range(3)]
    sample = statistics.sample(long + short, ["ppo", "impala"], final_score)
    np.testing.assert_allclose(sample.scores["ppo"], 0.5)


@pytest.mark.parametrize("runs", [[], seeds("ppo", [1, 2], "a"), [run("ppo", [])] * 3])
def test_too_few_runs(runs):
    assert statistics.sample(runs, ["ppo"], final_score) is None


def test_interquartile_means():
    scores = {"a": np.array([[0.0], [1], [2], [9]]), "b": np.full((3, 2), 0.25)}
    estimates = statistics.interquartile_means(scores)
    assert estimates == statistics.interquartile_means(scores)
    assert estimates["a"].value == 1.5
    assert 0 <= estimates["a"].low < 1.5 < estimates["a"].high <= 9
    assert estimates["b"] == (0.25, 0.25, 0.25)


def test_the_same_scores_have_the_same_intervals():
    """To the last bit, whatever else is drawn, which goes on as it would have."""
    scores = {"a": np.random.default_rng(0).normal(size=(5, 3))}
    estimates = statistics.interquartile_means(scores)
    np.random.seed(7)
    expected = np.random.random(2)
    np.random.seed(7)
    assert np.random.random() == expected[0]
    assert statistics.interquartile_means(scores) == estimates
    assert np.random.random() == expected[1]


def test_mean_difference():
    ours = np.array([[1.0, 2.0], [1.2, 2.2], [0.8, 1.8]])
    difference = statistics.mean_difference(ours, np.full((4, 2), 1.0))
    assert difference.value == pytest.approx(0.5)
    assert 0.3 <= difference.low < 0.5 < difference.high <= 0.7
