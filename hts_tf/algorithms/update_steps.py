"""The steps that the algorithms' updates have in common."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, rollouts, trees
from hts_tf.algorithms.shards import WHOLE, Shards, mean
from hts_tf.networks.agent import Agent

Logs = dict[str, tf.Tensor]


def pieces(arrays: Any, length: int | None) -> Any:
    """Divides a rollout's arrays into what may be learnt from in any order.

    Args:
      arrays: a structure of tensors [T, B, ...].
      length: of sequences, see `Agent.sequence_length`; a divisor of T.

    Returns:
      Steps [T * B, ...] without a length, else sequences [length, T / length * B, ...], those that
      begin first before others.
    """

    def cut(x: tf.Tensor) -> tf.Tensor:
        if length is None:
            return tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))
        parts = tf.reshape(x, (-1, length, *x.shape[1:]))
        return tf.concat(tf.unstack(parts), axis=1)

    return tf.nest.map_structure(cut, arrays)


def take(arrays: Any, numbers: tf.Tensor, length: int | None) -> Any:
    """Returns those `pieces` that have these numbers."""
    axis = 0 if length is None else 1
    return tf.nest.map_structure(lambda x: tf.gather(x, numbers, axis=axis), arrays)


def steps(rollout: rollouts.Rollout) -> rollouts.Rollout:
    """Returns what a loss needs of a rollout's T steps, [T, B, ...].

    Observations and actions, and which count; and of an agent that remembers, its state and where
    episodes end.
    """
    observation, state = trees.map(lambda x: x[:-1], (rollout.observation, rollout.state))
    found = rollouts.Rollout(observation=observation, action=rollout.action, counts=rollout.counts)
    if not state:
        return found
    return found._replace(state=state, terminated=rollout.terminated, truncated=rollout.truncated)


def evaluate_in_chunks(
    agent: Agent, rollout: rollouts.Rollout, rows_at_once: int, shards: Shards = WHOLE
) -> tuple[trees.Tree, tf.Tensor]:
    """Evaluates an agent as `Agent.evaluate`, in little memory; not for gradients.

    One that remembers begins each of its sequences (see `Agent.sequence_length`) with the state
    that is stored there, as it does when it learns from them.

    Args:
      agent: any.
      rollout: [T, B, ...], known when traced; see `Agent.evaluate`.
      rows_at_once: of T * B; one that remembers takes a sequence, at least.
      shards: no chunk has rows of two of them.
    """
    needed = rollouts.Rollout(
        observation=rollout.observation,
        state=rollout.state,
        terminated=rollout.terminated,
        truncated=rollout.truncated,
    )
    evaluate = _evaluate_sequences if rollout.state else _evaluate_steps
    return shards.map(lambda part: evaluate(agent, part, rows_at_once), needed)


def _evaluate_steps(
    agent: Agent, rollout: rollouts.Rollout, rows_at_once: int
) -> tuple[trees.Tree, tf.Tensor]:
    leading = tf.nest.flatten(rollout.observation)[0].shape[:2]
    rows = trees.map(lambda x: tf.reshape(x, (-1, *x.shape[2:])), rollout.observation)
    count = leading.num_elements()
    whole = count // rows_at_once * rows_at_once

    def evaluate(observation: trees.Tree) -> tuple[trees.Tree, tf.Tensor]:
        return agent.evaluate(rollouts.Rollout(observation=observation))

    chunks = trees.map(lambda x: tf.reshape(x[:whole], (-1, rows_at_once, *x.shape[1:])), rows)
    signature = trees.map(lambda leaf: leaf.dtype, (agent.step.policy, agent.step.value))
    answers = tf.map_fn(evaluate, chunks, parallel_iterations=1, fn_output_signature=signature)
    parts = [trees.map(lambda x: tf.reshape(x, (whole, *x.shape[2:])), answers)]
    if whole < count:
        parts.append(evaluate(trees.map(lambda x: x[whole:], rows)))
    return trees.map(lambda *x: tf.reshape(tf.concat(x, 0), (*leading, *x[0].shape[1:])), *parts)


def _evaluate_sequences(
    agent: Agent, rollout: rollouts.Rollout, rows_at_once: int
) -> tuple[trees.Tree, tf.Tensor]:
    num_steps, num_columns = rollout.terminated.shape
    length = agent.sequence_length(num_steps)

    def cut(x: tf.Tensor, rows: int) -> tf.Tensor:
        """From [steps, columns, ...] to [rows, sequences * columns, ...]."""
        numbers = np.arange(rows)[:, None] + np.arange(0, num_steps, length)
        return tf.reshape(tf.gather(x, numbers), (rows, -1, *x.shape[2:]))

    def joined(x: tf.Tensor) -> tf.Tensor:
        """Back again; of what a sequence shares with the next one, that is the next one's."""
        x = tf.reshape(x, (length + 1, -1, num_columns, *x.shape[2:]))
        steps = tf.concat(tf.unstack(x[:-1], axis=1), axis=0)
        return tf.concat([steps, x[-1:, -1]], axis=0)

    sequences = rollouts.Rollout(
        # Each with the first row of the next one, as a rollout has it.
        observation=trees.map(lambda x: cut(x, length + 1), rollout.observation),
        state=trees.map(lambda x: cut(x, length + 1), rollout.state),
        terminated=cut(rollout.terminated, length),
        truncated=cut(rollout.truncated, length),
    )
    return trees.map(joined, _evaluate_columns(agent, sequences, rows_at_once))


def _evaluate_columns(
    agent: Agent, rollout: rollouts.Rollout, rows_at_once: int
) -> tuple[trees.Tree, tf.Tensor]:
    rows, num_columns = tf.nest.flatten(rollout.observation)[0].shape[:2]
    most = max(1, rows_at_once // rows)
    width = max(n for n in range(1, num_columns + 1) if n <= most and num_columns % n == 0)

    def evaluate(first: tf.Tensor) -> tuple[trees.Tree, tf.Tensor]:
        return agent.evaluate(trees.map(lambda x: x[:, first : first + width], rollout))

    signature = trees.map(lambda leaf: leaf.dtype, (agent.step.policy, agent.step.value))
    answers = tf.map_fn(
        evaluate,
        tf.range(0, num_columns, width),
        parallel_iterations=1,
        fn_output_signature=signature,
    )

    def joined(x: tf.Tensor) -> tf.Tensor:
        """From [columns / width, rows, width, ...] to [rows, columns, ...]."""
        x = tf.transpose(x, (1, 0, *range(2, x.shape.rank)))
        return tf.reshape(x, (rows, num_columns, *x.shape[3:]))

    return trees.map(joined, answers)


def decay_learning_rate(
    optimizer: keras.optimizers.Optimizer, first: float, last: float, progress: tf.Tensor
) -> tf.Tensor:
    """Sets the learning rate to what a linear decay has left of it, and returns it.

    Args:
      optimizer: whose learning rate to set.
      first: the learning rate of the first update.
      last: what it comes to by the end; as much as the first, and it stays, to the bit.
      progress: scalar, the part of all updates that came before this one, 0 to 1.

    Raises:
      ConfigError: the optimizer has a schedule of its own.
    """
    if not hasattr(optimizer.learning_rate, "assign"):
        raise errors.ConfigError(
            f"{type(optimizer).__name__}'s learning rate follows a schedule, but the algorithm "
            "lets it decay linearly: make the optimizer with the number that it is given"
        )
    learning_rate = last + (first - last) * (1.0 - tf.cast(progress, tf.float32))
    optimizer.learning_rate.assign(learning_rate)
    return learning_rate


def descend(
    loss: Callable[..., tuple[tf.Tensor, Logs]],
    arguments: Callable[[int], tuple[Any, ...]],
    agent: Agent,
    optimizer: keras.optimizers.Optimizer,
    max_gradient_norm: float | None,
    gradient_agent: Agent | None = None,
    shards: Shards = WHOLE,
) -> Logs:
    """Makes one gradient step.

    Args:
      loss: called with an agent and the arguments; returns the loss, a mean over steps, and means
        for the log.
      arguments: returns those of the loss for a shard, of which there is but one unless `shards`
        says otherwise. The first is a rollout, whose `counts` tell how much a shard weighs.
      agent: whose parameters change.
      optimizer: built for the agent.
      max_gradient_norm: the gradient is scaled down to this global norm; None leaves it alone.
      gradient_agent: at whose parameters the gradient is taken; None for the agent's own.
      shards: whose gradients are added; the global norm is the sum's.

    Returns:
      The loss's scalars for the log, with the gradient's global norm before clipping.
    """
    if gradient_agent is None:
        gradient_agent = agent

    def gradient(index: int) -> tuple[list[tf.Tensor], Logs, tf.Tensor]:
        own = arguments(index)
        with tf.GradientTape() as tape:
            value, logs = loss(gradient_agent, *own)
        variables = gradient_agent.trainable_variables
        gradients = [  # none is of what the loss leaves alone
            tf.zeros(variable.shape) if gradient is None else tf.convert_to_tensor(gradient)
            for gradient, variable in zip(tape.gradient(value, variables), variables, strict=True)
        ]
        return gradients, logs, _number(own[0]) if shards.total > 1 else ()

    *results, counts = zip(*shards.all_gather(shards.each(gradient)), strict=True)
    gradients, logs = (mean(result, counts) for result in results)
    norm = tf.linalg.global_norm(gradients)
    if max_gradient_norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, max_gradient_norm, norm)
    optimizer.apply_gradients(zip(gradients, agent.trainable_variables, strict=True))
    return {**logs, "gradient_norm": norm}


def _number(rollout: rollouts.Rollout) -> tf.Tensor | tuple[()]:
    """Returns how many steps count; () where all do, as there are as many in each shard."""
    if trees.is_left_out(rollout.counts):
        return ()
    return tf.reduce_sum(tf.cast(rollout.counts, tf.float32))
