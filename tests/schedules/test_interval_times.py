import itertools
import math

import numpy as np
import pytest

from hts_tf.environments.synthetic import Synthetic
from hts_tf.schedules import interval_times


def game(step_time, gamma_shape=4.0, mean=0.5):
    return Synthetic(step_time=step_time, gamma_shape=gamma_shape, mean_step_sec=mean)


def expected_sec(schedule, game, *size):
    return interval_times.expected_sec(schedule, game.draw_step_sec, *size)


@pytest.mark.parametrize("schedule", interval_times.SCHEDULES)
@pytest.mark.parametrize(("num_envs", "sync_interval"), [(1, 1), (4, 8), (32, 64)])
def test_constant_steps_cost_nothing_more(schedule, num_envs, sync_interval):
    seconds = expected_sec(schedule, game("constant"), num_envs, sync_interval, 3)
    assert seconds == pytest.approx(0.5 * sync_interval)


@pytest.mark.parametrize("num_envs", [2, 5, 16])
def test_the_largest_of_exponential_times_is_a_harmonic_number(num_envs):
    harmonic = sum(1 / k for k in range(1, num_envs + 1))
    for schedule, sync_interval in [("sync", 8), ("hts", 1), ("sync", 1)]:
        repeats = 40_000 // sync_interval
        seconds = expected_sec(schedule, game("exponential"), num_envs, sync_interval, repeats)
        assert seconds == pytest.approx(0.5 * sync_interval * harmonic, rel=0.02)


@pytest.mark.parametrize("step_time", ["exponential", "gamma", "pareto"])
def test_a_single_environment_waits_for_nobody(step_time):
    seconds = [
        expected_sec(schedule, game(step_time), 1, 16, 10_000)
        for schedule in interval_times.SCHEDULES
    ]
    assert seconds[0] == pytest.approx(seconds[1])
    assert seconds[0] == pytest.approx(0.5 * 16, rel=0.02)


def test_is_the_plain_definition():
    """Of a whole number of repeats and of one that is left over, step for step."""
    size = (3, 5)
    repeats = 7
    random = np.random.default_rng(0)
    hts, sync = [], []
    for _ in range(repeats):
        steps = game("gamma").draw_step_sec(random, size)
        hts.append(max(sum(environment) for environment in steps))
        sync.append(sum(max(times) for times in steps.T))
    assert expected_sec("hts", game("gamma"), *size, repeats) == pytest.approx(np.mean(hts))
    assert expected_sec("sync", game("gamma"), *size, repeats) == pytest.approx(np.mean(sync))


@pytest.mark.parametrize("gamma_shape", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("num_envs", [4, 16])
def test_the_formula_agrees_with_simulation(gamma_shape, num_envs):
    gamma = game("gamma", gamma_shape)
    formula = interval_times.formula_sec(gamma, num_envs, 64)
    simulated = expected_sec("hts", gamma, num_envs, 64, 2000)
    assert formula == pytest.approx(simulated, rel=0.025)
    assert formula > 1.02 * 0.5 * 64


def test_the_formula_by_hand():
    """One exponential step: F^-1(1 - 1/n) = mean ln n, so the formula is mean (ln n + g)."""
    for num_envs in (2, 10):
        assert interval_times.formula_sec(game("exponential"), num_envs, 1) == pytest.approx(
            0.5 * (math.log(num_envs) + 0.5772156649)
        )
    assert interval_times.formula_sec(game("gamma", 1.0), 8, 64) == pytest.approx(
        interval_times.formula_sec(game("exponential"), 8, 64)
    )
    assert interval_times.formula_sec(game("constant"), 8, 64) == 32.0
    assert interval_times.formula_sec(game("exponential"), 1, 64) == 32.0
    assert interval_times.formula_sec(game("pareto"), 8, 64) is None


def test_the_speedup_rises_with_the_variance():
    games = [game("constant"), *(game("gamma", shape) for shape in (4.0, 1.0, 0.5, 0.25))]
    speedups = [
        expected_sec("sync", g, 16, 64, 200) / expected_sec("hts", g, 16, 64, 200) for g in games
    ]
    assert speedups[0] == pytest.approx(1.0)
    assert all(a + 0.3 < b for a, b in itertools.pairwise(speedups))
