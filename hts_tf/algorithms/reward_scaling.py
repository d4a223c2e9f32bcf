"""Scaling of rewards by running statistics of the return, as it is usual for MuJoCo."""

import tensorflow as tf

from hts_tf import rollouts, trees, values
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.configurables import configurable
from hts_tf.networks.moments import RunningMoments


@configurable(denylist=["num_columns", "discount"])
class ReturnScaling:
    """Divides rewards by the standard deviation of the discounted return so far, and clips them.

    The return is the sum R_t = reward_t + discount * R_{t-1}, from the episode's beginning on, as
    in VecNormalize (stable-baselines3). Its statistics take in a whole rollout at once, before that
    is scaled. Only the learner sees scaled rewards.

    Attributes:
      variables: all that the next rollout's scale depends on.
      of_episodes: those of them that are about episodes that go on.
    """

    def __init__(self, num_columns: int, discount: float, limit: values.Positive = 10.0) -> None:
        """Creates the variables.

        Args:
          num_columns: B, of the rollouts of all machines; a column goes on where it ended in the
            rollout before.
          discount: gamma of the algorithm.
          limit: scaled rewards are clipped to +-limit.
        """
        self._discount = discount
        self._limit = limit
        self._returns = tf.Variable(tf.zeros(num_columns, tf.float64), trainable=False)
        self._moments = RunningMoments(())
        self.of_episodes = [self._returns]
        self.variables = [*self.of_episodes, *self._moments.variables]

    def scale(self, rollout: rollouts.Rollout, shards: Shards = WHOLE) -> rollouts.Rollout:
        """Takes a rollout [T, B] into the statistics, and returns it with scaled rewards.

        Args:
          rollout: the columns of this machine's shards.
          shards: if not all are here; the statistics are of all.
        """
        has_counts = not trees.is_left_out(rollout.counts)
        rewards, ended, *counts = shards.all_gather_columns(
            rollout.reward,
            rollout.terminated | rollout.truncated,
            *([rollout.counts] if has_counts else []),
        )
        rewards = tf.cast(rewards, tf.float64)
        began = tf.concat([tf.zeros_like(ended[:1]), ended[:-1]], 0)
        returns = tf.scan(
            lambda total, step: step[0] + step[1] * total,
            (rewards, tf.where(began, tf.zeros_like(rewards), self._discount)),
            initializer=tf.convert_to_tensor(self._returns),
        )
        self._returns.assign(tf.where(ended[-1], tf.zeros_like(returns[-1]), returns[-1]))
        known = tf.boolean_mask(returns, *counts) if has_counts else returns
        self._moments.update(tf.reshape(known, [-1]))
        scaled = rewards * self._moments.inverse_deviation()
        scaled = tf.clip_by_value(scaled, -self._limit, self._limit)
        return rollout._replace(reward=tf.cast(shards.own(scaled), rollout.reward.dtype))
