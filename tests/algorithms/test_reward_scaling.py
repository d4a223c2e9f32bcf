import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import rollouts
from hts_tf.algorithms.reward_scaling import ReturnScaling
from tests.networks.vec_normalize import RunningMeanStd

pytestmark = pytest.mark.usefixtures("op_determinism")

T, B = 12, 3
DISCOUNT = 0.9


def make(**arguments):
    return ReturnScaling(B, DISCOUNT, **arguments)


def example(seed=0, size=1.0):
    random = np.random.default_rng(seed)
    ended = random.random((T, B))
    return rollouts.Rollout(
        reward=random.normal(0.5, size, (T, B)).astype(np.float32),
        terminated=ended < 0.15,
        truncated=ended > 0.85,
    )


def rows(rollout, start, end):
    return rollouts.Rollout(
        reward=rollout.reward[start:end],
        terminated=rollout.terminated[start:end],
        truncated=rollout.truncated[start:end],
    )


def vec_normalize(rollout):
    """What stable-baselines3's VecNormalize does in `step_wait`, step by step.

    Returns:
      Its statistics, and what is left of the returns.
    """
    returns, statistics = np.zeros(B), RunningMeanStd(())
    dones = rollout.terminated | rollout.truncated
    for reward, done in zip(rollout.reward, dones, strict=True):
        returns = returns * DISCOUNT + reward
        statistics.update(returns)
        returns[done] = 0
    return statistics, returns


def statistics_of(scaling):
    return [variable.numpy() for variable in scaling.variables]


@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_those_of_vec_normalize(seed):
    rollout = example(seed)
    literal, left = vec_normalize(rollout)
    scaling = make()
    scaled = scaling.scale(rollout)
    returns, mean, variance, count = statistics_of(scaling)
    np.testing.assert_allclose(returns, left, rtol=1e-12)
    np.testing.assert_allclose([mean, variance, count], [literal.mean, literal.var, T * B])
    expected = np.clip(rollout.reward / np.sqrt(literal.var + 1e-8), -10, 10)
    np.testing.assert_allclose(scaled.reward, expected, rtol=1e-6)
    assert scaled.reward.dtype == "float32"
    assert scaled.terminated is rollout.terminated


@settings(max_examples=20)
@given(st.lists(st.integers(1, T - 1), max_size=5, unique=True))
def test_any_split_into_rollouts_comes_to_the_same_statistics(cuts):
    rollout = example()
    whole, in_parts = make(), make()
    whole.scale(rollout)
    edges = [0, *sorted(cuts), T]
    for start, end in itertools.pairwise(edges):
        in_parts.scale(rows(rollout, start, end))
    for a, b in zip(statistics_of(whole), statistics_of(in_parts), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_the_order_of_columns_does_not_matter():
    rollout, order = example(), [2, 0, 1]
    permuted = rollouts.Rollout(
        reward=rollout.reward[:, order],
        terminated=rollout.terminated[:, order],
        truncated=rollout.truncated[:, order],
    )
    a, b = make(), make()
    scaled, other = a.scale(rollout).reward.numpy(), b.scale(permuted).reward.numpy()
    np.testing.assert_allclose(scaled[:, order], other, rtol=1e-6)
    np.testing.assert_allclose(a.variables[2], b.variables[2], rtol=1e-12)
    np.testing.assert_allclose(a.variables[0].numpy()[order], b.variables[0], rtol=1e-12)


@settings(max_examples=10)
@given(st.sampled_from([1e-3, 0.1, 7.0, 1e6]))
def test_the_size_of_rewards_does_not_matter(factor):
    rollout = example()
    larger = rollout._replace(reward=rollout.reward * np.float32(factor))
    scaled = make().scale(rollout).reward
    np.testing.assert_allclose(make().scale(larger).reward, scaled, rtol=1e-2)


def test_outliers_are_clipped():
    rewards = np.zeros((T, B), np.float32)
    rewards[3, 1], rewards[5, 2] = 1e6, -1e6
    no = np.zeros((T, B), bool)
    scaled = make(limit=2.0).scale(rollouts.Rollout(reward=rewards, terminated=no, truncated=no))
    assert scaled.reward[3, 1] == 2.0
    assert scaled.reward[5, 2] == -2.0


def test_no_rewards_stay_none():
    no = np.zeros((T, B), bool)
    rollout = rollouts.Rollout(reward=np.zeros((T, B), "f"), terminated=no, truncated=no)
    assert not make().scale(rollout).reward.numpy().any()


def test_returns_go_on_from_one_rollout_to_the_next_unless_the_episode_has_ended():
    scaling = make()
    no, one = np.zeros((1, B), bool), np.ones((1, B), np.float32)
    ended = np.array([[True, False, False]])
    scaling.scale(rollouts.Rollout(reward=one, terminated=ended, truncated=no))
    np.testing.assert_allclose(scaling.variables[0], [0, 1, 1])
    scaling.scale(rollouts.Rollout(reward=2 * one, terminated=no, truncated=ended[:, ::-1]))
    np.testing.assert_allclose(scaling.variables[0], [2, 2 + DISCOUNT, 0])


def test_as_part_of_a_compiled_update():
    scaling, plain = make(), make()
    compiled = tf.function(lambda r: scaling.scale(r).reward, autograph=False)
    for seed in range(3):
        rollout = rollouts.Rollout(*(tf.constant(x) if len(x) else x for x in example(seed)))
        np.testing.assert_allclose(compiled(rollout), plain.scale(rollout).reward, rtol=1e-6)
    for a, b in zip(statistics_of(scaling), statistics_of(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
