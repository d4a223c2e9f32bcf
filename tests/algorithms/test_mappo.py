"""PPO of several players with a central critic, against the objectives of MAPPO as published."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import rollouts, specs
from hts_tf.algorithms.ppo import PPO
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake
from tests.algorithms.reference import gradient_of, log_softmax

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_PLAYERS, BATCH, NUM_ACTIONS = 3, 4, 5
SPEC = specs.EnvironmentSpec(
    observation={
        "player": specs.ArraySpec((3,), "float32"),
        specs.CRITIC_STATE: specs.ArraySpec((2,), "float32"),
        specs.ACTION_MASK: specs.ArraySpec((NUM_ACTIONS,), "bool"),
    },
    action=specs.DiscreteSpec(num_values=NUM_ACTIONS),
    max_episode_steps=10,
    num_players=NUM_PLAYERS,
)
CLIP, VALUE_CLIP, VALUE_COST, ENTROPY_COST = 0.2, 0.3, 0.7, 0.02


def make_agent():
    torso = functools.partial(torsos.mlp, units=(4,))
    agent = ActorCritic(SPEC, 1, torso, value_torso=torso)
    shake(agent.variables, np.random.default_rng(1), scale=0.4)
    return agent


def make_minibatch():
    """What B env steps of n players have come to, [B * n, ...], some of whom have left."""
    random = np.random.default_rng(2)
    shape = (BATCH, NUM_PLAYERS)
    state = random.normal(size=(BATCH, 1, 2)) * np.ones((1, NUM_PLAYERS, 1))
    action = random.integers(NUM_ACTIONS, size=shape)
    mask = random.random((*shape, NUM_ACTIONS)) < 0.6
    np.put_along_axis(mask, action[..., None], True, -1)
    minibatch = {
        "player": random.normal(size=(*shape, 3)),
        "state": state,
        "mask": mask,
        "action": action,
        "old_log_prob": np.log(random.uniform(0.1, 0.6, shape)),
        "old_value": random.normal(size=shape),
        "advantage": random.normal(size=shape),
        "return": random.normal(size=shape),
        "active": random.random(shape) < 0.8,
    }
    return {name: x.reshape(-1, *x.shape[2:]) for name, x in minibatch.items()}


def forward(parameters, minibatch, i):
    """Returns log pi(.|o_i) and V(s_i): the actor's and the critic's parameters are apart."""
    actor, actor_bias, policy, policy_bias, critic, critic_bias, value, value_bias = parameters
    hidden = np.maximum(minibatch["player"][i] @ actor + actor_bias, 0.0)
    logits = hidden @ policy + policy_bias
    logits[~minibatch["mask"][i]] = -1e10  # as in MAPPO's distributions.py
    state = np.concatenate([minibatch["state"][i], minibatch["player"][i]])
    hidden = np.maximum(state @ critic + critic_bias, 0.0)
    return log_softmax(logits), (hidden @ value + value_bias)[0]


def mappo_loss(parameters, minibatch):
    """Yu et al. 2022, arXiv 2103.01955, appendix A: sums over n players and B steps.

    What is minimised is -L(theta) + VALUE_COST / 2 * L(phi): PPO2's half, which their code leaves
    out. Players who have left are left out of all means, as by their code's `active_masks`.
    """
    policy = value = entropy = 0.0
    for i in np.flatnonzero(minibatch["active"]):
        log_probs, v = forward(parameters, minibatch, i)
        ratio = math.exp(log_probs[minibatch["action"][i]] - minibatch["old_log_prob"][i])
        advantage = minibatch["advantage"][i]
        policy += min(ratio * advantage, np.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage)
        old, target = minibatch["old_value"][i], minibatch["return"][i]
        clipped = np.clip(v, old - VALUE_CLIP, old + VALUE_CLIP)
        value += max((v - target) ** 2, (clipped - target) ** 2)
        permitted = minibatch["mask"][i]
        entropy -= np.sum(np.exp(log_probs[permitted]) * log_probs[permitted])
    count = minibatch["active"].sum()
    policy, value, entropy = policy / count, value / count, entropy / count
    return -(policy + ENTROPY_COST * entropy) + VALUE_COST / 2 * value


def test_loss_and_gradient():
    agent, minibatch = make_agent(), make_minibatch()
    algorithm = PPO(
        clip=CLIP, value_clip=VALUE_CLIP, value_cost=VALUE_COST, entropy_cost=ENTROPY_COST
    )
    floats = {
        name: tf.constant(x, tf.float32 if x.dtype == np.float64 else None)
        for name, x in minibatch.items()
    }
    steps = rollouts.Rollout(
        observation={
            "player": floats["player"],
            specs.CRITIC_STATE: floats["state"],
            specs.ACTION_MASK: floats["mask"],
        },
        action=tf.constant(minibatch["action"], tf.uint8),
        counts=floats["active"],
    )
    with tf.GradientTape() as tape:
        loss, _ = algorithm.loss(
            agent,
            steps,
            *(floats[name] for name in ("old_log_prob", "old_value", "advantage", "return")),
        )
    gradient = tape.gradient(loss, [v.value for v in agent.trainable_variables])
    parameters = [v.numpy().astype(np.float64) for v in agent.trainable_variables]
    assert float(loss) == pytest.approx(mappo_loss(parameters, minibatch), rel=1e-5)
    expected = gradient_of(lambda p: mappo_loss(p, minibatch), parameters)
    for found, slope in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(found, slope, rtol=1e-3, atol=1e-5)
