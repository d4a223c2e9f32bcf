"""Losses: pure functions of tensors of any one shape, averaged over it.

`counts`, bools of the same shape, tells the steps that are averaged over (`Rollout.counts`); () is
for all of them.
"""

import tensorflow as tf

from hts_tf import trees
from hts_tf.networks.action_head import Distribution

Counts = tf.Tensor | tuple[()]

LARGEST_LOG_RATIO = 20.0  # of probabilities: e^20 is half a billion


def mean(x: tf.Tensor, counts: Counts = ()) -> tf.Tensor:
    """Returns the mean of what counts; 0 if nothing does."""
    if trees.is_left_out(counts):
        return tf.reduce_mean(x)
    number = tf.reduce_sum(tf.cast(counts, x.dtype))
    return tf.reduce_sum(tf.where(counts, x, 0.0)) / tf.maximum(number, 1.0)


def only(x: tf.Tensor, counts: Counts = ()) -> tf.Tensor:
    """Returns what counts, and 0 for the rest, of which even what overflows has no gradient."""
    return x if trees.is_left_out(counts) else tf.where(counts, x, 0.0)


def kl_estimate(log_prob_ratio: tf.Tensor, counts: Counts = ()) -> tf.Tensor:
    """Schulman's estimator of KL(another policy, target): never negative, low variance.

    Args:
      log_prob_ratio: log pi(a|s) of the target policy minus that of the other one. It is as good as
        the actions are the other one's: PPO's proximal policy is an update newer than who took
        them, under the `hts` schedule.
      counts: see above.
    """
    return mean(tf.math.expm1(log_prob_ratio) - log_prob_ratio, counts)


def actor_critic_loss(
    policy: Distribution,
    values: tf.Tensor,
    actions: tf.Tensor,
    advantages: tf.Tensor,
    returns: tf.Tensor,
    value_cost: float,
    entropy_cost: float,
    counts: Counts = (),
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The loss of advantage actor-critic methods (Mnih et al. 2016, arXiv 1602.01783, section 4).

    The mean over all steps of
    -log pi(a|s) * advantage + value_cost * (value - return)^2 - entropy_cost * entropy(pi(s)).

    Args:
      policy: [...], being trained.
      values: [...], by the agent being trained.
      actions: [...], taken.
      advantages: [...], of the actions; constants to the gradient.
      returns: [...], the targets of the values; constants to the gradient.
      value_cost: weight of the squared error, without a factor of one half.
      entropy_cost: weight of the entropy.
      counts: see above.

    Returns:
      The loss, to be minimised, and scalars for the log.
    """
    policy_loss = -mean(policy.log_prob(actions) * advantages, counts)
    value_loss = mean(tf.square(values - returns), counts)
    policy_entropy = mean(policy.entropy(), counts)
    loss = policy_loss + value_cost * value_loss - entropy_cost * policy_entropy
    return loss, {
        "loss": loss,
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "entropy": policy_entropy,
    }


def log_ratio(log_prob: tf.Tensor, other: tf.Tensor, counts: Counts = ()) -> tf.Tensor:
    """Returns the logarithm of a ratio of actions' probabilities; 0 where a step does not count.

    It saturates at `LARGEST_LOG_RATIO`: where policies are far apart, one ratio may be 0 and the
    next, by which it is multiplied, infinite.

    Args:
      log_prob: of actions under a policy.
      other: the same under another one.
      counts: see above.
    """
    return tf.minimum(only(log_prob - other, counts), LARGEST_LOG_RATIO)


def clipped_policy_loss(
    log_prob_ratio: tf.Tensor, advantages: tf.Tensor, clip: float, counts: Counts = ()
) -> tf.Tensor:
    """PPO's clipped surrogate objective (Schulman et al. 2017, arXiv 1707.06347, equation 7).

    Args:
      log_prob_ratio: log pi(a|s) of the target policy minus that of the proximal policy (of plain
        PPO the behaviour policy).
      advantages: of the actions.
      clip: epsilon.
      counts: see above.

    Returns:
      Scalar, to be minimised.
    """
    ratio = tf.exp(log_prob_ratio)
    clipped = tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip)
    return -mean(tf.minimum(ratio * advantages, clipped * advantages), counts)


def clipped_value_loss(
    values: tf.Tensor,
    proximal_values: tf.Tensor,
    returns: tf.Tensor,
    clip: float | None,
    counts: Counts = (),
) -> tf.Tensor:
    """Half the squared error, kept from profiting by moving further than `clip` in one update.

    As in OpenAI baselines' PPO2: the larger of the error of `values` and that of
    `proximal_values` moved towards them by at most `clip`.

    Args:
      values: by the agent being trained.
      proximal_values: by the agent that the update began with, or who collected the data.
      returns: the targets.
      clip: how far a value may move; None leaves it free.
      counts: see above.

    Returns:
      Scalar, to be minimised.
    """
    if clip is None:
        return 0.5 * mean(tf.square(values - returns), counts)
    clipped = proximal_values + tf.clip_by_value(values - proximal_values, -clip, clip)
    error = tf.maximum(tf.square(values - returns), tf.square(clipped - returns))
    return 0.5 * mean(error, counts)
