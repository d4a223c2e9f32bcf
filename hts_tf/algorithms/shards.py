"""Shards: parts of a batch, by whose number alone results may depend on who computes them.

A batch of B columns is divided into S shards of as many columns each. Gradients are taken shard by
shard, and added in the order of the shards; so it does not matter how many of them are computed at
once, or on which machine.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from hts_tf import trees

Result = TypeVar("Result")

# (array [S here, ...], channel) -> [S, ...]: one machine's shards -> those of all machines, in
# their order. TensorFlow may call it in another order on each machine, but for one channel.
Gather = Callable[[np.ndarray, int], np.ndarray]


class Shards:
    """Which shards of a batch are computed here.

    Attributes:
      total: S, of the whole batch.
      here: those of this machine.
    """

    def __init__(
        self,
        total: int = 1,
        here: Sequence[int] | None = None,
        at_once: int = 1,
        gather: Gather | None = None,
    ) -> None:
        """Says which.

        Args:
          total: S.
          here: None for all of them.
          at_once: how many may be computed at the same time; no influence on results.
          gather: where not all shards are here.
        """
        self.total = total
        self.here = range(total) if here is None else here
        self._at_once = at_once
        self._gather = gather
        self._channels = itertools.count()

    def columns(self, arrays: Any, index: int) -> Any:
        """Returns the part [T, B / S, ...] that is a shard's of arrays [T, B, ...].

        Args:
          arrays: a structure of them, with the columns of this machine's shards.
          index: of the shard, among those here.
        """
        if len(self.here) == 1:
            return arrays

        def part(x: tf.Tensor) -> tf.Tensor:
            width = x.shape[1] // len(self.here)
            rest = [0] * (x.shape.rank - 2)
            return tf.slice(x, [0, index * width, *rest], [x.shape[0], width, *x.shape[2:]])

        return tf.nest.map_structure(part, arrays)

    def each(self, function: Callable[[int], Result]) -> list[Result]:
        """Returns what a function, traced once, says of each shard here.

        Args:
          function: of the shard's index among those here, a number or a scalar tensor; it may read
            variables, but assign none.
        """
        if self.total == 1:
            return [function(0)]
        traced = tf.function(function, autograph=False)
        results: list[Result] = []
        for index in range(len(self.here)):
            # As many as there may be at once: the others wait for one before them.
            before = results[index - self._at_once] if index >= self._at_once else ()
            with tf.control_dependencies(tf.nest.flatten(before)):
                results.append(traced(tf.constant(index)))
        return results

    def map(self, function: Callable[..., Result], *arrays: Any) -> Result:
        """Returns what a function says of each shard here, side by side.

        Functions such as exp round otherwise at an array's end: with this, no array has columns of
        two shards, and results do not depend on which of them are here.

        Args:
          function: of structures of tensors [T, B / S, ...]; returns one of such tensors.
          *arrays: structures of them, [T, B here, ...].
        """
        answers = self.each(lambda index: function(*self.columns(arrays, index)))
        if len(answers) == 1:
            return answers[0]

        def side_by_side(*parts: tf.Tensor) -> tf.Tensor:
            # Not `tf.concat`: TensorFlow makes one exp behind it of those of its parts.
            first, width, *rest = parts[0].shape
            return tf.reshape(tf.stack(parts, axis=1), (first, len(parts) * width, *rest))

        return tf.nest.map_structure(side_by_side, *answers)

    def all_gather(self, results: Sequence[Result]) -> list[Result]:
        """Returns what `each` has returned, here and on all other machines, in the shards' order.

        Args:
          results: structures of tensors of one type, in one exchange between the machines.
        """
        if self.total == 1:
            return list(results)
        if self._gather is None:
            return [tf.nest.map_structure(_set_apart, result) for result in results]
        leaves = tf.nest.flatten(results[0])
        if not leaves:
            return [results[0]] * self.total
        sizes = [leaf.shape.num_elements() for leaf in leaves]
        rows = [[tf.reshape(x, [-1]) for x in tf.nest.flatten(result)] for result in results]
        channel = next(self._channels)  # of this place in the graph
        stacked = tf.stack([tf.concat(row, 0) for row in rows])
        gathered = tf.numpy_function(self._gather, [stacked, channel], stacked.dtype)
        gathered.set_shape((self.total, *stacked.shape[1:]))
        return [
            tf.nest.pack_sequence_as(
                results[0],
                [
                    tf.reshape(part, leaf.shape)
                    for part, leaf in zip(tf.split(row, sizes), leaves, strict=True)
                ],
            )
            for row in tf.unstack(gathered, self.total)
        ]

    def all_gather_columns(self, *arrays: tf.Tensor) -> Sequence[tf.Tensor]:
        """Returns the columns of all machines: [T, B here] -> [T, B], all in one exchange.

        Args:
          *arrays: of bools or float32.
        """
        if self.total == 1:
            return arrays
        if self._gather is None:
            return [_set_apart(x) for x in arrays]
        stacked = tf.stack([tf.cast(x, tf.float32) for x in arrays], axis=-1)
        parts = self.all_gather([self.columns(stacked, i) for i in range(len(self.here))])
        gathered = tf.unstack(tf.concat(parts, axis=1), axis=-1)
        return [tf.cast(x, like.dtype) for x, like in zip(gathered, arrays, strict=True)]

    def own(self, x: tf.Tensor) -> tf.Tensor:
        """Returns this machine's columns of those of all: [T, B, ...] -> [T, B here, ...]."""
        width = x.shape[1] // self.total
        return x[:, self.here[0] * width : (self.here[-1] + 1) * width]


WHOLE = Shards()


def mean(results: Sequence[Result], counts: Sequence[tf.Tensor]) -> Result:
    """Returns the mean of means over shards, added in their order.

    Args:
      results: of each shard, a structure of tensors: means over its steps.
      counts: of each shard, how many steps these are of; or () if that is the same for all.
    """
    if len(results) == 1:
        return results[0]
    if trees.is_left_out(counts[0]):
        return tf.nest.map_structure(lambda *parts: _sum(parts) * (1.0 / len(parts)), *results)
    number = tf.maximum(_sum(counts), 1.0)
    weights = [count / number for count in counts]

    def weighted(*parts: tf.Tensor) -> tf.Tensor:
        return _sum([part * weight for part, weight in zip(parts, weights, strict=True)])

    return tf.nest.map_structure(weighted, *results)


def _set_apart(x: tf.Tensor) -> tf.Tensor:
    """Returns the same; whatever follows rounds as behind an exchange between machines.

    Without this, TensorFlow's optimizer takes operations before and after as one, and changes their
    order, such as of factors, which it cannot where an exchange is between them.
    """
    return tf.raw_ops.Snapshot(input=x)


def _sum(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Adds in this order; `tf.add_n` promises none, and TensorFlow's optimizer may make one."""
    total = terms[0]
    for term in terms[1:]:
        total = _set_apart(total + term)
    return total
