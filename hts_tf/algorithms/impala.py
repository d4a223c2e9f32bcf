"""IMPALA's learner (Espeholt et al. 2018, arXiv 1802.01561): actor-critic with V-trace."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from hts_tf import errors, rollouts, trees, values
from hts_tf.algorithms import losses, optimizers, returns, update_steps
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.configurables import configurable
from hts_tf.networks.agent import Agent


@configurable
@dataclasses.dataclass(frozen=True)
class IMPALA(Algorithm):
    """IMPALA's hyperparameters and its update: one gradient step on a batch of unrolls.

    The policy that collected the data may lag by any number of updates, also within an unroll:
    V-trace corrects for it, step by step, with the logits that the actors stored.

    Attributes:
      discount: gamma.
      v_trace_lambda: 0 (one step) to 1.
      clip_rho: rho bar.
      clip_c: c bar, at most clip_rho.
      bootstrap_truncated: whether an episode cut by a time limit is credited with the value
        of its own last observation; if not, it counts as terminated.
      value_cost: weight of the squared error of the values.
      entropy_cost: weight of the entropy bonus.
      max_gradient_norm: the gradient is scaled down to this global norm; None leaves it alone.
      learning_rate: at the first update.
      last_learning_rate: what it comes to by the end, linearly; as much, and it stays.
      optimizer: makes the optimizer from the learning rate: `@adam` or `@rmsprop`.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    recurrent = True
    sharded = True

    discount: values.Fraction = 0.993
    v_trace_lambda: values.Fraction = 1.0
    clip_rho: values.Positive = 1.0
    clip_c: values.Positive = 1.0
    bootstrap_truncated: bool = True
    value_cost: values.Cost = 0.25
    entropy_cost: values.Cost = 7.331e-4
    max_gradient_norm: values.Positive | None = None
    learning_rate: values.LearningRate = 1.2542e-4
    last_learning_rate: values.Fraction = 0.0
    optimizer: Callable[[float], keras.optimizers.Optimizer] = optimizers.adam

    def __post_init__(self) -> None:
        if self.clip_c > self.clip_rho:
            raise errors.ConfigError(
                f"IMPALA.clip_c = {self.clip_c} must not exceed IMPALA.clip_rho = {self.clip_rho}"
            )

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """See base class."""
        return self.optimizer(self.learning_rate)

    def update(
        self,
        agent: Agent,
        optimizer: keras.optimizers.Optimizer,
        rollout: rollouts.Rollout,
        permutations: tf.Tensor,
        progress: tf.Tensor,
        shards: Shards = WHOLE,
    ) -> dict[str, tf.Tensor]:
        """See base class."""
        learning_rate = update_steps.decay_learning_rate(
            optimizer, self.learning_rate, self.last_learning_rate, progress
        )
        logs = update_steps.descend(
            self.loss,
            lambda index: (shards.columns(rollout, index),),
            agent,
            optimizer,
            self.max_gradient_norm,
            shards=shards,
        )
        return {**logs, "learning_rate": learning_rate}

    def loss(
        self, agent: Agent, rollout: rollouts.Rollout
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of a batch of unrolls; see `losses.actor_critic_loss`.

        Args:
          agent: the target agent.
          rollout: B unrolls of T steps.

        Returns:
          The loss, and scalars for the log.
        """
        policy, values = agent.evaluate(rollout)
        # The last observation only has a value to start from.
        policy = agent.distribution(trees.map(lambda x: x[:-1], policy))
        behaviour = agent.distribution(rollout.policy)
        log_prob_ratio = tf.stop_gradient(
            policy.log_prob(rollout.action) - behaviour.log_prob(rollout.action)
        )
        targets = returns.v_trace(
            rollout._replace(value=tf.stop_gradient(values)),
            log_prob_ratio,
            self.discount,
            self.v_trace_lambda,
            self.clip_rho,
            self.clip_c,
            self.bootstrap_truncated,
        )
        values = values[:-1]
        loss, logs = losses.actor_critic_loss(
            policy,
            values,
            rollout.action,
            *targets,
            self.value_cost,
            self.entropy_cost,
            rollout.counts,
        )
        clipped = tf.exp(log_prob_ratio) > self.clip_rho
        return loss, {
            **logs,
            "kl": losses.kl_estimate(log_prob_ratio, rollout.counts),
            "clip_fraction": losses.mean(tf.cast(clipped, tf.float32), rollout.counts),
            "explained_variance": returns.explained_variance(
                values, targets.returns, rollout.counts
            ),
        }
