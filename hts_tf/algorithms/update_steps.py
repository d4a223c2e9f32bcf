"""The steps that the algorithms' updates have in common."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from hts_tf import specs, trees
from hts_tf.networks.agent import Agent

Logs = dict[str, tf.Tensor]


def merge_time_and_batch(arrays: Any) -> Any:
    """Returns a structure of tensors [T, B, ...] as one of [T * B, ...]."""
    return tf.nest.map_structure(
        lambda x: tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), arrays
    )


def steps(rollout: specs.Rollout) -> specs.Rollout:
    """Returns what a loss needs of a rollout's T steps: observations and actions, [T, B, ...]."""
    observation = trees.map(lambda x: x[:-1], rollout.observation)
    return specs.Rollout(observation=observation, action=rollout.action)


def evaluate_in_chunks(
    agent: Agent, rollout: specs.Rollout, rows_at_once: int
) -> tuple[trees.Tree, tf.Tensor]:
    """Evaluates an agent as `Agent.evaluate`, in little memory; not for gradients.

    Args:
      agent: any without a memory.
      rollout: [T, B, ...], known when traced; here only the observations.
      rows_at_once: of T * B.
    """
    leading = tf.nest.flatten(rollout.observation)[0].shape[:2]
    rows = trees.map(lambda x: tf.reshape(x, (-1, *x.shape[2:])), rollout.observation)
    count = leading.num_elements()
    whole = count // rows_at_once * rows_at_once

    def evaluate(observation: trees.Tree) -> tuple[trees.Tree, tf.Tensor]:
        return agent.evaluate(specs.Rollout(observation=observation))

    chunks = trees.map(lambda x: tf.reshape(x[:whole], (-1, rows_at_once, *x.shape[1:])), rows)
    signature = trees.map(lambda leaf: leaf.dtype, (agent.step.policy, agent.step.value))
    answers = tf.map_fn(evaluate, chunks, parallel_iterations=1, fn_output_signature=signature)
    parts = [trees.map(lambda x: tf.reshape(x, (whole, *x.shape[2:])), answers)]
    if whole < count:
        parts.append(evaluate(trees.map(lambda x: x[whole:], rows)))
    return trees.map(lambda *x: tf.reshape(tf.concat(x, 0), (*leading, *x[0].shape[1:])), *parts)


def decay_learning_rate(
    optimizer: keras.optimizers.Optimizer, initial: float, progress: tf.Tensor
) -> tf.Tensor:
    """Sets the learning rate to what a linear decay to 0 has left of it, and returns it.

    Args:
      optimizer: whose learning rate to set.
      initial: the learning rate of the first update.
      progress: scalar, the part of all updates that came before this one, 0 to 1.
    """
    learning_rate = initial * (1.0 - tf.cast(progress, tf.float32))
    optimizer.learning_rate.assign(learning_rate)
    return learning_rate


def descend(
    loss: Callable[..., tuple[tf.Tensor, Logs]],
    arguments: tuple[Any, ...],
    agent: Agent,
    optimizer: keras.optimizers.Optimizer,
    max_gradient_norm: float | None,
    gradient_agent: Agent | None = None,
) -> Logs:
    """Makes one gradient step.

    Args:
      loss: called with an agent and the arguments; returns the loss and scalars for the log.
      arguments: of the loss.
      agent: whose parameters change.
      optimizer: built for the agent.
      max_gradient_norm: the gradient is scaled down to this global norm; None leaves it alone.
      gradient_agent: at whose parameters the gradient is taken; None for the agent's own.

    Returns:
      The loss's scalars for the log, with the gradient's global norm before clipping.
    """
    if gradient_agent is None:
        gradient_agent = agent
    with tf.GradientTape() as tape:
        value, logs = loss(gradient_agent, *arguments)
    gradients = tape.gradient(value, gradient_agent.trainable_variables)
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    norm = tf.linalg.global_norm(gradients)
    if max_gradient_norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, max_gradient_norm, norm)
    optimizer.apply_gradients(zip(gradients, agent.trainable_variables, strict=True))
    return {**logs, "gradient_norm": norm}
