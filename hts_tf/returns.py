"""Returns and advantages: pure functions of time-major tensors."""

from typing import NamedTuple

import tensorflow as tf

from hts_tf import specs


class Advantages(NamedTuple):
    """What a policy-gradient method learns from.

    Attributes:
      advantages: [T, B] float32.
      returns: [T, B] float32, the targets of the value function: advantages + values.
    """

    advantages: tf.Tensor
    returns: tf.Tensor


def generalized_advantage_estimation(
    rollout: specs.Rollout,
    discount: float,
    lambda_: float,
    bootstrap_truncated: bool = True,
) -> Advantages:
    """Generalized advantage estimation (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    With V' the value of what follows step t:
    delta_t = reward_t + discount * V' - value_t, and
    advantage_t = delta_t + discount * lambda_ * advantage_{t+1}, cut where the episode ends.
    V' is zero after termination, the value of the episode's own last observation after
    truncation, and value_{t+1} otherwise.

    Args:
      rollout: T steps of B environments.
      discount: gamma, 0 to 1.
      lambda_: 0 (one step) to 1 (Monte Carlo).
      bootstrap_truncated: if false, a truncated episode counts as terminated.
    """
    values = rollout.value
    after_end = (
        tf.where(rollout.truncated, rollout.truncation_value, 0.0)
        if bootstrap_truncated
        else tf.zeros_like(rollout.reward)
    )
    ended = rollout.terminated | rollout.truncated
    next_values = tf.where(ended, after_end, values[1:])
    deltas = rollout.reward + discount * next_values - values[:-1]
    decays = tf.where(ended, 0.0, discount * lambda_)
    advantages = tf.scan(
        lambda advantage, step: step[0] + step[1] * advantage,
        (deltas, decays),
        initializer=tf.zeros_like(deltas[0]),
        reverse=True,
    )
    return Advantages(advantages, advantages + values[:-1])


def explained_variance(values: tf.Tensor, returns: tf.Tensor) -> tf.Tensor:
    """Returns 1 - Var(returns - values) / Var(returns): 1 is perfect, 0 no better than a constant.

    Args:
      values: predictions, any shape.
      returns: what they predict, same shape.
    """
    variance = tf.math.reduce_variance(returns)
    error = tf.math.reduce_variance(returns - values)
    return tf.where(variance > 0, 1.0 - error / variance, 0.0)
