"""Losses: pure functions of tensors of any one shape, averaged over it."""

import tensorflow as tf


def clipped_policy_loss(log_prob_ratio: tf.Tensor, advantages: tf.Tensor, clip: float) -> tf.Tensor:
    """PPO's clipped surrogate objective (Schulman et al. 2017, arXiv 1707.06347, equation 7).

    Args:
      log_prob_ratio: log pi(a|s) of the target policy minus that of the behaviour policy.
      advantages: of the actions.
      clip: epsilon.

    Returns:
      Scalar, to be minimised.
    """
    ratio = tf.exp(log_prob_ratio)
    clipped = tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip)
    return -tf.reduce_mean(tf.minimum(ratio * advantages, clipped * advantages))


def clipped_value_loss(
    values: tf.Tensor, behaviour_values: tf.Tensor, returns: tf.Tensor, clip: float
) -> tf.Tensor:
    """Half the squared error, kept from profiting by moving further than `clip` in one update.

    As in OpenAI baselines' PPO2: the larger of the error of `values` and that of
    `behaviour_values` moved towards them by at most `clip`.

    Args:
      values: by the network being trained.
      behaviour_values: by the network that collected the data.
      returns: the targets.
      clip: how far a value may move.

    Returns:
      Scalar, to be minimised.
    """
    clipped = behaviour_values + tf.clip_by_value(values - behaviour_values, -clip, clip)
    return 0.5 * tf.reduce_mean(
        tf.maximum(tf.square(values - returns), tf.square(clipped - returns))
    )
