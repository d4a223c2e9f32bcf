"""Proximal Policy Optimization (Schulman et al. 2017, arXiv 1707.06347).

By default with the decoupled objective of Hilton et al. (2022, arXiv 2110.00641), which
tells two policies apart that plain PPO takes for one: the behaviour policy, which collected the
data, and the proximal policy, near which the update is to stay.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import keras
import tensorflow as tf
from annotated_types import Ge, Le

from hts_tf import errors, rollouts, trees, values
from hts_tf.algorithms import losses, optimizers, returns, update_steps
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.shards import WHOLE, Shards
from hts_tf.configurables import configurable
from hts_tf.networks.agent import Agent


@configurable
@dataclasses.dataclass(frozen=True)
class PPO(Algorithm):
    """PPO's hyperparameters and its update; the defaults are those of HTS-RL's football runs.

    Attributes:
      epochs: at least 1.
      num_minibatches: into which the shuffled batch is divided, in each epoch, with as many steps
        of each shard; must divide a shard's sync_interval * num_envs * players / num_shards, and
        what an agent that remembers has of sequences in it.
      clip: of the probability ratio, to 1 +- clip.
      value_clip: of the value's movement in one update, in units of the returns; 'clip' takes that
        of the ratio, which is for rewards of about 1, and None lets it move freely.
      discount: gamma at the first update.
      last_discount: what it comes to, linearly, as the learning rate comes to 0; None lets it
        stay: who looks far ahead from the beginning learns less stably (Francois-Lavet et al.
        2015, arXiv 1512.02011). `Trainer.reward_scaling` goes by the first.
      gae_lambda: lambda of generalized advantage estimation.
      bootstrap_truncated: whether an episode cut by a time limit is credited with the value
        of its own last observation; if not, it counts as terminated.
      decoupled: whether the agent as it is when the update begins is the proximal policy, and
        its values are those that advantages are computed from and the value's movement is
        clipped around (but for the stored `truncation_value`); the behaviour policy is then
        corrected for by importance weights. If not, both are the behaviour policy's, one update
        older under the `hts` schedule, as in the paper's code. Without policy lag the two are the
        same.
      value_cost: weight of the value loss.
      entropy_cost: weight of the entropy bonus at the first update.
      last_entropy_cost: what it comes to, linearly, as the learning rate comes to 0; None lets it
        stay: a policy explores first and settles later.
      max_gradient_norm: every minibatch's gradient is scaled down to this global norm.
      learning_rate: of Adam at the first update.
      last_learning_rate: what it comes to by the end, linearly; as much, and it stays.
      adam_epsilon: of Adam; another optimizer has its own.
      optimizer: makes the optimizer from the learning rate, such as `@rmsprop`; None takes Adam,
        `optimizers.Adam`.
      logged: names of what `loss` returns for the log; no setting, but for subclasses.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    recurrent = True
    sharded = True
    logged = ("loss", "policy_loss", "value_loss", "entropy", "kl", "clip_fraction")

    epochs: Annotated[int, Ge(1), Le(1000)] = 2
    num_minibatches: values.Count = 8
    clip: values.Positive = 0.08
    value_clip: values.Positive | Literal["clip"] | None = "clip"
    discount: values.Fraction = 0.993
    last_discount: values.Fraction | None = None
    gae_lambda: values.Fraction = 0.95
    bootstrap_truncated: bool = True
    decoupled: bool = True
    value_cost: values.Cost = 0.5
    entropy_cost: values.Cost = 0.003
    last_entropy_cost: values.Cost | None = None
    max_gradient_norm: values.Positive = 0.64
    learning_rate: values.LearningRate = 3.43e-4
    last_learning_rate: values.Fraction = 0.0
    adam_epsilon: values.Positive = 1e-5
    optimizer: Callable[[float], keras.optimizers.Optimizer] | None = None

    def check_batch(
        self, sync_interval: int, num_columns: int, sequence_length: int | None = None
    ) -> None:
        """Raises: ConfigError: the minibatches do not divide the batch of one update."""
        width = f"Trainer.num_envs (times players, for each shard) = {num_columns}"
        if sequence_length:
            sequences = sync_interval // sequence_length * num_columns
            if sequences % self.num_minibatches:
                raise errors.ConfigError(
                    f"PPO.num_minibatches = {self.num_minibatches} does not divide the {sequences} "
                    f"sequences of {width} times Trainer.sync_interval = {sync_interval} over "
                    f"{sequence_length} env steps, what a core learns from; see "
                    "ActorCritic.sequence_length"
                )
        steps = sync_interval * num_columns
        if steps % self.num_minibatches:
            raise errors.ConfigError(
                f"PPO.num_minibatches = {self.num_minibatches} does not divide the batch of "
                f"Trainer.sync_interval = {sync_interval} times {width}, {steps} steps"
            )

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """See base class."""
        if self.optimizer is not None:
            return self.optimizer(self.learning_rate)
        return optimizers.Adam(self.learning_rate, epsilon=self.adam_epsilon)

    def update(
        self,
        agent: Agent,
        optimizer: keras.optimizers.Optimizer,
        rollout: rollouts.Rollout,
        permutations: tf.Tensor,
        progress: tf.Tensor,
        shards: Shards = WHOLE,
    ) -> dict[str, tf.Tensor]:
        """See base class; the scalars are averaged over the minibatches.

        Under the `hts` schedule the behaviour policy is one update older than the agent; the
        stored log-probabilities of its actions account for that.
        """
        discount = _scheduled(self.discount, self.last_discount, progress)
        batch = self._batch(agent, rollout, discount, shards)
        _, _, values, _, value_targets = batch
        length = agent.sequence_length(rollout.reward.shape[0])
        batch = update_steps.pieces(batch, length)
        learning_rate = update_steps.decay_learning_rate(
            optimizer, self.learning_rate, self.last_learning_rate, progress
        )
        entropy_cost = _scheduled(self.entropy_cost, self.last_entropy_cost, progress)
        loss = functools.partial(self.loss, entropy_cost=entropy_cost)

        def add_step(sums: dict[str, tf.Tensor], numbers: tf.Tensor) -> dict[str, tf.Tensor]:
            step = update_steps.descend(
                loss,
                lambda index: update_steps.take(batch, numbers[index], length),
                agent,
                optimizer,
                self.max_gradient_norm,
                shards=shards,
            )
            if step.keys() != sums.keys():
                raise errors.ConfigError(
                    f"{type(self).__name__}.loss returns for the log what is not in "
                    f"{type(self).__name__}.logged, or not all of it: "
                    f"{', '.join(sorted(step.keys() ^ sums.keys()))}"
                )
            return tf.nest.map_structure(tf.add, sums, step)

        count = self.epochs * self.num_minibatches
        orders = [
            tf.reshape(order, (count, -1)) for order in tf.split(permutations, len(shards.here), 1)
        ]
        sums = tf.foldl(  # a loop in the graph, so that the step is traced once
            add_step,
            tf.stack(orders, axis=1),
            dict.fromkeys([*self.logged, "gradient_norm"], 0.0),
            parallel_iterations=1,
        )
        return {
            **{name: total / count for name, total in sums.items()},
            "learning_rate": learning_rate,
            "explained_variance": returns.explained_variance(
                values, value_targets, rollout.counts, shards
            ),
        }

    def _batch(
        self,
        agent: Agent,
        rollout: rollouts.Rollout,
        discount: float | tf.Tensor,
        shards: Shards,
    ) -> tuple[Any, ...]:
        """Returns what `loss` takes of each step, [T, B, ...] each."""
        proximal = rollout.policy
        if self.decoupled:
            # As many rows at a time as are trained on: all at once take hundreds of megabytes.
            num_steps = rollout.reward.shape.num_elements() // len(shards.here)
            rows_at_once = num_steps // self.num_minibatches
            policy, value = update_steps.evaluate_in_chunks(agent, rollout, rows_at_once, shards)
            proximal = trees.map(lambda x: x[:-1], policy)
            rollout = rollout._replace(value=value)
        proximal_log_prob, importance = shards.map(
            functools.partial(_log_probs, agent),
            rollout.policy,
            proximal,
            rollout.action,
            rollout.counts,
        )
        advantages, value_targets = returns.generalized_advantage_estimation(
            rollout, discount, self.gae_lambda, self.bootstrap_truncated
        )
        normalised = returns.normalised(advantages, rollout.counts, shards)
        return (
            update_steps.steps(rollout),
            proximal_log_prob,
            rollout.value[:-1],
            importance * normalised,
            value_targets,
        )

    def loss(
        self,
        agent: Agent,
        steps: rollouts.Rollout,
        proximal_log_prob: tf.Tensor,
        proximal_value: tf.Tensor,
        advantage: tf.Tensor,
        value_target: tf.Tensor,
        entropy_cost: float | tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """PPO's loss (equation 9) on a minibatch of M steps, or of sequences [L, M].

        Args:
          agent: the target agent.
          steps: [M], see `update_steps.steps`.
          proximal_log_prob: [M], of the actions under the policy around which the ratio is clipped.
          proximal_value: [M], around which the value's movement is clipped.
          advantage: [M], normalised, then weighted by the proximal policy's probability of the
            action over the behaviour policy's.
          value_target: [M], the returns.
          entropy_cost: weight of the entropy bonus now, scalar; None takes the first update's.

        Returns:
          The loss, and scalars for the log.
        """
        policy, value = agent.evaluate(steps)
        policy = agent.distribution(policy)
        counts = steps.counts
        log_prob_ratio = losses.log_ratio(policy.log_prob(steps.action), proximal_log_prob, counts)
        ratio = tf.exp(log_prob_ratio)
        policy_loss = losses.clipped_policy_loss(log_prob_ratio, advantage, self.clip, counts)
        value_clip = self.clip if self.value_clip == "clip" else self.value_clip
        value_loss = losses.clipped_value_loss(
            value, proximal_value, value_target, value_clip, counts
        )
        entropy = losses.mean(policy.entropy(), counts)
        entropy_cost = self.entropy_cost if entropy_cost is None else entropy_cost
        loss = policy_loss + self.value_cost * value_loss - entropy_cost * entropy
        return loss, {
            "loss": loss,
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy,
            "kl": losses.kl_estimate(log_prob_ratio, counts),
            "clip_fraction": losses.mean(
                tf.cast(tf.abs(ratio - 1.0) > self.clip, tf.float32), counts
            ),
        }


def _scheduled(first: float, last: float | None, progress: tf.Tensor) -> float | tf.Tensor:
    """Returns what comes linearly from one value to another, or without another stays."""
    return first if last is None else first + (last - first) * progress


def _log_probs(
    agent: Agent, behaviour: trees.Tree, proximal: trees.Tree, action: tf.Tensor, counts: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns actions' log-probabilities under the proximal policy, and importance weights.

    Args:
      agent: whose policies these are.
      behaviour: the parameters of the policy that chose the actions, [T, B, ...].
      proximal: those of the policy around which ratios are clipped.
      action: [T, B, ...].
      counts: see `losses`.

    Returns:
      [T, B] each; a weight is the proximal policy's probability over the behaviour policy's.
    """
    log_prob, of_behaviour = (
        agent.distribution(policy).log_prob(action) for policy in (proximal, behaviour)
    )
    return log_prob, tf.exp(losses.log_ratio(log_prob, of_behaviour, counts))
