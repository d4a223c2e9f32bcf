"""Steps that do not count: of players who have left."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.algorithms import losses, returns
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.impala import IMPALA
from hts_tf.algorithms.ppo import PPO
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.categorical import CategoricalDistribution
from tests.agents import shake
from tests.algorithms import reference

pytestmark = pytest.mark.usefixtures("op_determinism")

STEPS = st.lists(
    st.tuples(st.floats(-1, 1, width=32), st.floats(-2, 2, width=32), st.booleans()),
    min_size=1,
    max_size=6,
)
ALGORITHMS = {
    "PPO": PPO(num_minibatches=2),
    "PPO, not decoupled": PPO(num_minibatches=2, decoupled=False, value_clip=None),
    "A2C": A2C(),
    "IMPALA": IMPALA(),
}


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_losses_are_those_of_what_counts(steps):
    ratios, advantages, counts = (np.array(x) for x in zip(*steps, strict=True))
    ratios, advantages = ratios.astype(np.float32), advantages.astype(np.float32)
    logits = np.stack([ratios, advantages, -ratios], -1)
    actions = np.arange(len(ratios)) % 3

    def all_of(ratios, advantages, logits, actions, *counts):
        policy = CategoricalDistribution(tf.constant(logits))
        shared = (tf.constant(ratios), tf.constant(advantages))
        return [
            losses.kl_estimate(shared[0], *counts),
            losses.clipped_policy_loss(*shared, 0.1, *counts),
            losses.clipped_value_loss(shared[0], shared[1], -shared[1], 0.1, *counts),
            losses.clipped_value_loss(shared[0], shared[1], -shared[1], None, *counts),
            losses.actor_critic_loss(policy, shared[0], actions, *shared, 0.5, 0.01, *counts)[0],
        ]

    found = all_of(ratios, advantages, logits, actions, tf.constant(counts))
    if not counts.any():
        np.testing.assert_array_equal(found, 0.0)
        return
    expected = all_of(ratios[counts], advantages[counts], logits[counts], actions[counts])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_advantages_are_normalised_by_those_that_count():
    advantages = np.array([[1.0, 100.0], [3.0, 5.0]], np.float32)
    counts = np.array([[True, False], [True, True]])
    found = returns.normalised(tf.constant(advantages), tf.constant(counts)).numpy()
    known = advantages[counts]
    np.testing.assert_allclose(found, (advantages - known.mean()) / known.std(), rtol=1e-4)


def test_explained_variance_is_of_those_that_count():
    values, targets = np.array([1.0, 9.0, 2.0, 4.0]), np.array([1.0, -5.0, 2.5, 4.0])
    counts = np.array([True, False, True, True])
    found = float(returns.explained_variance(values, targets, counts))
    expected = returns.explained_variance(values[counts], targets[counts])
    assert found == pytest.approx(float(expected))
    assert returns.explained_variance(values, targets) < 0


def make_agent(normalise):
    torso = functools.partial(torsos.mlp, units=(8,))
    agent = ActorCritic(reference.SPEC, 0, torso, normalise_observations=normalise)
    shake(agent.trainable_variables, np.random.default_rng(0))
    return agent


def left_players(rollout):
    """The rollout, with stretches in which nobody is there any more, up to an episode's end."""
    counts = np.ones(rollout.reward.shape, bool)
    counts[1:3, 0] = counts[:, 1] = False
    terminated = rollout.terminated | ~counts
    terminated[0, 0] = True
    return rollout._replace(
        counts=counts, terminated=terminated, truncated=rollout.truncated & ~terminated
    )


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_does_not_count_has_no_influence(name):
    algorithm = ALGORITHMS[name]
    agents = [make_agent(True) for _ in range(2)]
    rollout = left_players(reference.make_rollout(agents[0]))
    gone = ~rollout.counts
    random = np.random.default_rng(1)
    other = rollout._replace(
        observation=rollout.observation.copy(),
        action=np.where(gone, 1 - rollout.action % 2, rollout.action).astype(rollout.action.dtype),
        reward=np.where(gone, 7.0, rollout.reward).astype(np.float32),
        policy={"logits": rollout.policy["logits"].copy()},
    )
    other.observation[:-1][gone] += random.normal(size=other.observation[:-1][gone].shape)
    # So unlikely that the probability ratio of the action overflows.
    other.policy["logits"][gone] += 300.0 * random.normal(size=other.policy["logits"][gone].shape)
    count = rollout.reward.size
    for agent, seen in zip(agents, (rollout, other), strict=True):
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(agent.trainable_variables)
        orders = np.tile(np.arange(count, dtype=np.int32), (algorithm.epochs, 1))
        logs = reference.eager_update(algorithm, agent, optimizer, seen, orders, 0.0)
        agent.observe(agent.statistics(reference.as_tensors(seen)))
        assert np.isfinite([float(value) for value in logs.values()]).all()
    for one, two in zip(agents[0].variables, agents[1].variables, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_rewards_are_scaled_by_returns_that_count():
    rollout = left_players(reference.make_rollout(make_agent(False)))
    other = rollout._replace(
        reward=np.where(rollout.counts, rollout.reward, 100.0).astype(np.float32)
    )
    scaled = []
    for seen in (rollout, other):
        scaling = ReturnScaling(seen.reward.shape[1], 0.9)
        scaled.append(scaling.scale(reference.as_tensors(seen)).reward.numpy()[rollout.counts])
    np.testing.assert_array_equal(*scaled)
