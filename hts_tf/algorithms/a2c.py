"""Advantage actor-critic (Mnih et al. 2016, arXiv 1602.01783), and its delayed gradient."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from hts_tf import rollouts, values
from hts_tf.algorithms import losses, optimizers, returns, update_steps
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.configurables import configurable
from hts_tf.networks.agent import Agent


@configurable
@dataclasses.dataclass(frozen=True)
class A2C(Algorithm):
    """A2C's hyperparameters and its update: one gradient step on the whole rollout.

    The policy gradient is that of the policy which collected the data, so it has to be taken at
    that policy's parameters. Under the `hts` schedule the target agent is one update further:
    theta(j+1) = theta(j) - step(gradient of the loss at theta(j-1) on D(j-1)), the *delayed
    gradient* of HTS-RL (Liu et al. 2020, arXiv 2012.09849, section 4).

    Attributes:
      discount: gamma.
      bootstrap_truncated: whether an episode cut by a time limit is credited with the value
        of its own last observation; if not, it counts as terminated.
      value_cost: weight of the squared error of the values.
      entropy_cost: weight of the entropy bonus.
      max_gradient_norm: the gradient is scaled down to this global norm.
      learning_rate: at the first update.
      last_learning_rate: what it comes to by the end, linearly; as much, and it stays.
      optimizer: makes the optimizer from the learning rate: `@rmsprop` or `@adam`.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    delayed_gradient = True
    recurrent = True
    sharded = True

    discount: values.Fraction = 0.993
    bootstrap_truncated: bool = True
    value_cost: values.Cost = 0.5
    entropy_cost: values.Cost = 0.01
    max_gradient_norm: values.Positive = 0.5
    learning_rate: values.LearningRate = 7e-4
    last_learning_rate: values.Fraction = 0.0
    optimizer: Callable[[float], keras.optimizers.Optimizer] = optimizers.rmsprop

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
        gradient_agent: Agent | None = None,
        shards: Shards = WHOLE,
    ) -> dict[str, tf.Tensor]:
        """See base class."""
        # The stored values are those of the gradient's own parameters: nothing to compute anew.
        targets = returns.n_step_returns(rollout, self.discount, self.bootstrap_truncated)
        interval = rollout.reward.shape[0]
        length = interval if agent.sequence_length(interval) else None
        batch = update_steps.steps(rollout), *targets
        learning_rate = update_steps.decay_learning_rate(
            optimizer, self.learning_rate, self.last_learning_rate, progress
        )
        logs = update_steps.descend(
            self.loss,
            lambda index: update_steps.pieces(shards.columns(batch, index), length),
            agent,
            optimizer,
            self.max_gradient_norm,
            gradient_agent,
            shards,
        )
        return {
            **logs,
            "learning_rate": learning_rate,
            "explained_variance": returns.explained_variance(
                rollout.value[:-1], targets.returns, rollout.counts, shards
            ),
        }

    def loss(
        self, agent: Agent, steps: rollouts.Rollout, advantage: tf.Tensor, value_target: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of a batch of M steps, or [T, B]; see `losses.actor_critic_loss`.

        Args:
          agent: at whose parameters the gradient is taken.
          steps: [M], see `update_steps.steps`.
          advantage: [M].
          value_target: [M], the returns.

        Returns:
          The loss, and scalars for the log.
        """
        policy, value = agent.evaluate(steps)
        return losses.actor_critic_loss(
            agent.distribution(policy),
            value,
            steps.action,
            advantage,
            value_target,
            self.value_cost,
            self.entropy_cost,
            steps.counts,
        )
