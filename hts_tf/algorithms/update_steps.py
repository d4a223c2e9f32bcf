"""The steps that the algorithms' updates have in common."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from hts_tf.networks.actor_critic import ActorCritic

Logs = dict[str, tf.Tensor]


def merge_time_and_batch(arrays: Any) -> Any:
    """Returns a structure of tensors [T, B, ...] as one of [T * B, ...]."""
    return tf.nest.map_structure(
        lambda x: tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), arrays
    )


def evaluate(
    network: ActorCritic, observation: tf.Tensor, rows_at_once: int | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluates a network on time-major observations.

    Args:
      network: any.
      observation: [T, B, ...]; T and B known when traced if `rows_at_once` is given.
      rows_at_once: of T * B; without a gradient, fewer of them take less memory. None for all.

    Returns:
      logits [T, B, A], value [T, B].
    """
    steps = tf.shape(observation)[:2]
    rows = tf.reshape(observation, (-1, *observation.shape[2:]))
    if rows_at_once is None:
        logits, value = network(rows)
    else:
        logits, value = _evaluate_in_chunks(network, rows, rows_at_once)
    return tf.reshape(logits, (*tf.unstack(steps), logits.shape[-1])), tf.reshape(value, steps)


def _evaluate_in_chunks(
    network: ActorCritic, rows: tf.Tensor, rows_at_once: int
) -> tuple[tf.Tensor, tf.Tensor]:
    count = rows.shape[0]
    whole = count // rows_at_once * rows_at_once
    logits, value = tf.map_fn(
        network,
        tf.reshape(rows[:whole], (-1, rows_at_once, *rows.shape[1:])),
        parallel_iterations=1,
        fn_output_signature=(tf.float32, tf.float32),
    )
    answers = [(tf.reshape(logits, (whole, logits.shape[-1])), tf.reshape(value, (whole,)))]
    if whole < count:
        answers.append(network(rows[whole:]))
    logits, value = (tf.concat(parts, 0) for parts in zip(*answers, strict=True))
    return logits, value


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
    network: ActorCritic,
    optimizer: keras.optimizers.Optimizer,
    max_gradient_norm: float | None,
    gradient_network: ActorCritic | None = None,
) -> Logs:
    """Makes one gradient step.

    Args:
      loss: called with a network and the arguments; returns the loss and scalars for the log.
      arguments: of the loss.
      network: whose parameters change.
      optimizer: built for the network.
      max_gradient_norm: the gradient is scaled down to this global norm; None leaves it alone.
      gradient_network: at whose parameters the gradient is taken; None for the network's own.

    Returns:
      The loss's scalars for the log, with the gradient's global norm before clipping.
    """
    if gradient_network is None:
        gradient_network = network
    with tf.GradientTape() as tape:
        value, logs = loss(gradient_network, *arguments)
    gradients = tape.gradient(value, gradient_network.trainable_variables)
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    norm = tf.linalg.global_norm(gradients)
    if max_gradient_norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, max_gradient_norm, norm)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
    return {**logs, "gradient_norm": norm}
