"""Updates with actions of all kinds, against the same updates with other distributions."""

import functools
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import rollouts, specs
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.impala import IMPALA
from hts_tf.algorithms.ppo import PPO
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake
from tests.algorithms.reference import NUM_ENVS, NUM_STEPS, compiled_update, eager_update
from tests.networks import action_kinds
from tests.networks.action_kinds import KINDS, MASKED

pytestmark = pytest.mark.usefixtures("op_determinism")

ALGORITHMS = {
    "PPO": PPO(epochs=1, num_minibatches=3, entropy_cost=0.05),
    "A2C": A2C(entropy_cost=0.05),
    "IMPALA": IMPALA(entropy_cost=0.05, clip_rho=2.0, learning_rate=0.001),
}
CASES = [(kind, False) for kind in KINDS] + [(kind, True) for kind in MASKED]


def make_agent(action, masked, seed=1):
    observation = {"light": specs.ArraySpec((3,), "float32")}
    if masked:
        size = np.sum(action.num_values)
        observation[specs.ACTION_MASK] = specs.ArraySpec((int(size),), "bool")
    spec = specs.EnvironmentSpec(observation, action, 10)
    agent = ActorCritic(spec, seed, functools.partial(torsos.mlp, units=(4,)))
    shake(agent.variables, np.random.default_rng(seed), scale=0.2)
    return agent


def make_rollout(collector, action):
    """Collected by an agent, with its noise, and with endings of both kinds."""
    random = np.random.default_rng(0)
    rows, steps = (NUM_STEPS + 1) * NUM_ENVS, (NUM_STEPS, NUM_ENVS)
    observation = {"light": random.normal(size=(rows, 3)).astype(np.float32)}
    if specs.ACTION_MASK in collector.step.observation:
        sizes = np.atleast_1d(action.num_values)
        mask = random.random((rows, sizes.sum())) < 0.5
        mask[:, np.cumsum(sizes) - sizes] = True  # something of each choice
        observation[specs.ACTION_MASK] = mask
    noise = collector.draw_noise(random, (rows,))
    answer = tf.nest.map_structure(
        lambda x: x.numpy().reshape(NUM_STEPS + 1, NUM_ENVS, *x.shape[1:]),
        collector.act(observation, (), noise),
    )
    terminated, truncated = np.zeros(steps, bool), np.zeros(steps, bool)
    terminated[1, 0] = truncated[2, 1] = True
    return rollouts.Rollout(
        observation={
            name: x.reshape(NUM_STEPS + 1, NUM_ENVS, -1) for name, x in observation.items()
        },
        action=answer.action[:-1],
        policy={name: x[:-1] for name, x in answer.policy.items()},
        value=answer.value,
        reward=random.normal(size=steps).astype(np.float32),
        score=np.full(steps, np.nan, np.float32),
        terminated=terminated,
        truncated=truncated,
        truncation_value=np.where(truncated, np.float32(0.6), np.float32(np.nan)),
    )


def update(algorithm, agent, rollout, run):
    """Returns what an update logs, and how the parameters moved."""
    before = [variable.numpy() for variable in agent.trainable_variables]
    optimizer = algorithm.make_optimizer()
    optimizer.build(agent.trainable_variables)
    random, size = np.random.default_rng(5), NUM_STEPS * NUM_ENVS
    orders = [random.permutation(size) for _ in range(algorithm.epochs)]
    permutations = np.reshape(orders, (-1, size)).astype(np.int32)
    logs = run(algorithm, agent, optimizer, rollout, permutations, 0.25)
    after = agent.trainable_variables
    return logs, [a.numpy() - b for a, b in zip(after, before, strict=True)]


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
@pytest.mark.parametrize(("kind", "masked"), CASES)
def test_updates_are_those_with_tensorflow_probability(algorithm, kind, masked):
    """With policy lag, so that ratios are not 1. Each kind is compiled with one algorithm."""
    action = KINDS[kind]
    is_compiled = [*KINDS].index(kind) % 3 == [*ALGORITHMS.values()].index(algorithm)
    run = compiled_update if is_compiled else eager_update
    rollout = make_rollout(make_agent(action, masked, seed=2), action)
    logs, moves = update(algorithm, make_agent(action, masked), rollout, run)
    distribution = functools.partial(action_kinds.expected, action)
    with mock.patch.object(ActorCritic, "distribution", lambda agent, policy: distribution(policy)):
        expected_logs, expected_moves = update(
            algorithm, make_agent(action, masked), rollout, eager_update
        )
    assert logs.keys() == expected_logs.keys()
    assert all(np.isfinite(value) for value in logs.values())
    for name, value in logs.items():
        assert value == pytest.approx(expected_logs[name], rel=1e-3, abs=1e-4), name
    for move, expected in zip(moves, expected_moves, strict=True):
        assert np.abs(move).max() > 0
        np.testing.assert_allclose(move, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())
