"""What the tests of all algorithms share: a small agent, experience, slow and plain maths."""

import functools
import math

import numpy as np
import tensorflow as tf

from hts_tf import rollouts, specs, trees
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake

SPEC = specs.EnvironmentSpec(
    observation=specs.ArraySpec((3,), "float32"),
    action=specs.DiscreteSpec(num_values=3),
    max_episode_steps=10,
)
NUM_STEPS, NUM_ENVS = 4, 3


def make_agent(seed=1):
    agent = ActorCritic(SPEC, seed, functools.partial(torsos.mlp, units=(4,)))
    shake(agent.variables, np.random.default_rng(seed))
    return agent


def make_rollout(collector, seed=0):
    """Collected by an agent's policy, with endings of both kinds."""
    random = np.random.default_rng(seed)
    observation = random.normal(size=(NUM_STEPS + 1, NUM_ENVS, 3)).astype(np.float32)
    policy, value = collector(observation.reshape(-1, 3))
    steps = NUM_STEPS, NUM_ENVS
    terminated, truncated = np.zeros(steps, bool), np.zeros(steps, bool)
    terminated[1, 0] = truncated[2, 1] = True
    return rollouts.Rollout(
        observation=observation,
        action=random.integers(3, size=steps).astype(np.uint8),
        policy={"logits": policy["logits"].numpy().reshape(NUM_STEPS + 1, NUM_ENVS, 3)[:-1]},
        value=value.numpy().reshape(NUM_STEPS + 1, NUM_ENVS),
        reward=random.normal(size=steps).astype(np.float32),
        score=np.full(steps, np.nan, np.float32),
        terminated=terminated,
        truncated=truncated,
        truncation_value=np.where(truncated, np.float32(0.6), np.float32(np.nan)),
    )


def as_tensors(rollout):
    return trees.map(tf.constant, rollout)


def compiled_update(algorithm, agent, optimizer, *rollout_and_more, **agents):
    """Runs an update as the learner does: as one compiled function, of the last two only once."""
    return run_update(_compiled(algorithm, agent, optimizer, **agents), *rollout_and_more)


@functools.lru_cache(maxsize=2)
def _compiled(algorithm, agent, optimizer, **agents):
    update = functools.partial(algorithm.update, agent, optimizer, **agents)
    return tf.function(update, autograph=False)


def eager_update(algorithm, agent, optimizer, *rollout_and_more, **agents):
    """Runs an update operation by operation: of few steps that takes less than compiling it."""
    return run_update(
        functools.partial(algorithm.update, agent, optimizer, **agents), *rollout_and_more
    )


def run_update(update, rollout, permutations, progress):
    logs = update(as_tensors(rollout), tf.constant(permutations), tf.constant(progress, tf.float32))
    return {name: float(value) for name, value in logs.items()}


NO_PERMUTATIONS = np.zeros((0, NUM_STEPS * NUM_ENVS), np.int32)


def parameters_of(agent):
    return [variable.numpy().astype(np.float64) for variable in agent.trainable_variables]


def forward(parameters, observation):
    """Returns the logits and the value of one observation."""
    kernel, bias, policy_kernel, policy_bias, value_kernel, value_bias = parameters
    features = np.maximum(observation @ kernel + bias, 0.0)
    return features @ policy_kernel + policy_bias, (features @ value_kernel + value_bias)[0]


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits)))


def gradient_of(loss, parameters):
    """Central finite differences of loss(parameters), for every single parameter."""
    gradient = []
    for array in parameters:
        slope = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept, h = array[index], 1e-6
            array[index] = kept + h
            above = loss(parameters)
            array[index] = kept - h
            below = loss(parameters)
            array[index] = kept
            slope[index] = (above - below) / (2 * h)
        gradient.append(slope)
    return gradient


def norm_of(gradient):
    return math.sqrt(sum(np.sum(array**2) for array in gradient))


def actor_critic_loss(parameters, steps, value_cost, entropy_cost):
    """Section 4 of Mnih et al. 2016, one (observation, action, advantage, return) after another."""
    total = 0.0
    for observation, action, advantage, target in steps:
        logits, value = forward(parameters, observation)
        log_probs = log_softmax(logits)
        entropy = -np.sum(np.exp(log_probs) * log_probs)
        total -= log_probs[action] * advantage + entropy_cost * entropy
        total += value_cost * (value - target) ** 2
    return total / len(steps)
