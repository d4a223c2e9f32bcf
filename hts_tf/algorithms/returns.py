"""Returns and advantages: pure functions of time-major tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from hts_tf import rollouts, trees
from hts_tf.algorithms import losses
from hts_tf.algorithms.shards import WHOLE, Shards


class Advantages(NamedTuple):
    """What a policy-gradient method learns from.

    Attributes:
      advantages: [T, B] float32.
      returns: [T, B] float32, the targets of the value function.
    """

    advantages: tf.Tensor
    returns: tf.Tensor


def n_step_returns(
    rollout: rollouts.Rollout, discount: float, bootstrap_truncated: bool = True
) -> Advantages:
    """Returns up to the end of the rollout (Mnih et al. 2016, arXiv 1602.01783, algorithm S3).

    return_t = reward_t + discount * return_{t+1}, and return_T = value_T. Where an episode ends at
    t, nothing of the next one counts: V', as in `generalized_advantage_estimation`, takes the place
    of return_{t+1}. Its advantages with lambda 1 are these returns minus the values.

    Args:
      rollout: T steps of B environments.
      discount: gamma, 0 to 1.
      bootstrap_truncated: if false, a truncated episode counts as terminated.
    """
    return generalized_advantage_estimation(rollout, discount, 1.0, bootstrap_truncated)


def generalized_advantage_estimation(
    rollout: rollouts.Rollout,
    discount: float | tf.Tensor,
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
    deltas = _one_step_advantages(rollout, values[1:], discount, bootstrap_truncated)
    advantages = _discounted_sums(rollout, deltas, discount * lambda_)
    return Advantages(advantages, advantages + values[:-1])


def v_trace(
    rollout: rollouts.Rollout,
    log_prob_ratio: tf.Tensor,
    discount: float,
    lambda_: float = 1.0,
    clip_rho: float = 1.0,
    clip_c: float = 1.0,
    bootstrap_truncated: bool = True,
) -> Advantages:
    """V-trace (Espeholt et al. 2018, arXiv 1802.01561, equation 1 and section 4.2).

    With rho_t = min(clip_rho, ratio_t), c_t = lambda_ * min(clip_c, ratio_t), and V' as in
    `generalized_advantage_estimation`:
    delta_t = rho_t * (reward_t + discount * V' - value_t),
    return_t = value_t + delta_t + discount * c_t * (return_{t+1} - value_{t+1}), and
    advantage_t = rho_t * (reward_t + discount * return_{t+1} - value_t), where return_T = value_T.
    At an episode's end return_{t+1} is V' too, and the product with c_t is cut.

    Where both policies are the same, and lambda_ and the clips are 1, these are the n-step returns.

    Args:
      rollout: T steps of B environments; `value` is to be the target network's, computed anew.
        The value after a truncation is the one that the behaviour network stored: the observation
        that it belongs to is not kept, so the target network cannot be asked.
      log_prob_ratio: [T, B], log pi(a|s) of the target policy minus that of the behaviour policy.
      discount: gamma, 0 to 1.
      lambda_: 0 (one step) to 1, as in the paper's remark 2.
      clip_rho: rho bar, at least clip_c; says of which policy the returns are the values.
      clip_c: c bar; says how far a later surprise is carried back.
      bootstrap_truncated: if false, a truncated episode counts as terminated.
    """
    values = rollout.value
    ratio = tf.exp(log_prob_ratio)
    rhos, cs = tf.minimum(ratio, clip_rho), lambda_ * tf.minimum(ratio, clip_c)
    deltas = rhos * _one_step_advantages(rollout, values[1:], discount, bootstrap_truncated)
    targets = values[:-1] + _discounted_sums(rollout, deltas, discount * cs)
    next_targets = tf.concat([targets[1:], values[-1:]], 0)
    advantages = _one_step_advantages(rollout, next_targets, discount, bootstrap_truncated)
    return Advantages(rhos * advantages, targets)


def _one_step_advantages(
    rollout: rollouts.Rollout,
    next_values: tf.Tensor,
    discount: float | tf.Tensor,
    bootstrap_truncated: bool,
) -> tf.Tensor:
    """Returns reward_t + discount * V' - value_t, [T, B].

    Args:
      rollout: T steps of B environments.
      next_values: [T, B], V' where the episode goes on.
      discount: gamma, 0 to 1.
      bootstrap_truncated: if false, a truncated episode counts as terminated.
    """
    after_end = (
        tf.where(rollout.truncated, rollout.truncation_value, 0.0)
        if bootstrap_truncated
        else tf.zeros_like(rollout.reward)
    )
    next_values = tf.where(rollout.terminated | rollout.truncated, after_end, next_values)
    return rollout.reward + discount * next_values - rollout.value[:-1]


def _discounted_sums(
    rollout: rollouts.Rollout, terms: tf.Tensor, decay: float | tf.Tensor
) -> tf.Tensor:
    """Returns sum_t = term_t + decay_t * sum_{t+1}, [T, B], cut where an episode ends.

    Args:
      rollout: T steps of B environments.
      terms: [T, B].
      decay: scalar or [T, B].
    """
    decays = tf.where(rollout.terminated | rollout.truncated, 0.0, decay)
    return tf.scan(
        lambda total, step: step[0] + step[1] * total,
        (terms, decays),
        initializer=tf.zeros_like(terms[0]),
        reverse=True,
    )


def normalised(
    advantages: tf.Tensor, counts: losses.Counts = (), shards: Shards = WHOLE
) -> tf.Tensor:
    """Returns advantages of mean 0 and, nearly, variance 1; 0 if no step counts.

    Args:
      advantages: [T, B].
      counts: bools of the same shape, over which steps; () for all.
      shards: these are of, if not all of them are here.
    """
    (known,) = _known([advantages], counts, shards)
    deviation = tf.math.reduce_std(known)
    scaled = (advantages - tf.reduce_mean(known)) / (deviation + 1e-5)
    return tf.where(tf.size(known) > 0, scaled, 0.0)


def explained_variance(
    values: tf.Tensor, returns: tf.Tensor, counts: losses.Counts = (), shards: Shards = WHOLE
) -> tf.Tensor:
    """Returns 1 - Var(returns - values) / Var(returns): 1 is perfect, 0 no better than a constant.

    Args:
      values: predictions, [T, B].
      returns: what they predict, same shape.
      counts: bools of the same shape, over which steps; () for all.
      shards: these are of, if not all of them are here.
    """
    values, returns = _known([values, returns], counts, shards)
    variance = tf.math.reduce_variance(returns)
    error = tf.math.reduce_variance(returns - values)
    return tf.where(variance > 0, 1.0 - error / variance, 0.0)


def _known(arrays: list[tf.Tensor], counts: losses.Counts, shards: Shards) -> Sequence[tf.Tensor]:
    """Returns what counts of arrays [T, B] float32, of all machines."""
    if trees.is_left_out(counts):
        return shards.all_gather_columns(*arrays)
    *arrays, counts = shards.all_gather_columns(*arrays, counts)
    return [tf.boolean_mask(x, counts) for x in arrays]
