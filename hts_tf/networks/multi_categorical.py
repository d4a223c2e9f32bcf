"""The action head for several choices at once."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.configurables import configurable
from hts_tf.networks.categorical import (
    FORBIDDEN,
    Categorical,
    CategoricalDistribution,
    largest,
)


def side_by_side(logits: tf.Tensor, num_values: Sequence[int]) -> tf.Tensor:
    """Returns logits [..., sum A] as [..., K, max A]: a row for each choice, filled up below.

    Args:
      logits: those of each choice, one after another.
      num_values: A, of each of the K choices.
    """
    ends = np.cumsum(num_values)[:-1].tolist()
    parts = keras.ops.split(logits, ends, axis=-1) if ends else [logits]
    unchanged = [[0, 0]] * (len(logits.shape) - 1)
    rows = [
        keras.ops.pad(row, [*unchanged, [0, max(num_values) - size]], constant_values=FORBIDDEN)
        for row, size in zip(parts, num_values, strict=True)
    ]
    return keras.ops.stack(rows, axis=-2)


class MultiCategoricalDistribution:
    """Of independent choices, computed as TensorFlow Probability's `Independent` one is."""

    def __init__(self, logits: tf.Tensor, num_values: Sequence[int]) -> None:
        """Takes logits and numbers of values, see `side_by_side`."""
        self._choices = CategoricalDistribution(side_by_side(logits, num_values))

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s), [...], of actions of K whole numbers, [..., K] or of other shape."""
        value = tf.reshape(value, tf.shape(self._choices.logits)[:-1])
        return tf.reduce_sum(self._choices.log_prob(value), axis=-1)

    def entropy(self) -> tf.Tensor:
        """Returns the entropies, [...], in nats; logits must be finite."""
        return tf.reduce_sum(self._choices.entropy(), axis=-1)

    def kl_divergence(self, other: "MultiCategoricalDistribution") -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""
        return tf.reduce_sum(self._choices.kl_divergence(other._choices), axis=-1)


@configurable(denylist=["action", "seeds"])
class MultiCategorical(Categorical):
    """Several choices as `Categorical` makes one: logits and mask have those of all, in order."""

    @classmethod
    def serves(cls, action: specs.ArraySpec) -> bool:
        """See base class."""
        return isinstance(action, specs.MultiDiscreteSpec)

    @property
    def num_logits(self) -> int:
        """See base class."""
        return int(sum(self.action.num_values))

    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """See base class."""
        rows = side_by_side(policy["logits"] + noise, self.action.num_values)
        action = keras.ops.reshape(largest(rows), (-1, *self.action.shape))
        return keras.ops.cast(action, self.action.dtype)

    def distribution(self, policy: dict[str, tf.Tensor]) -> MultiCategoricalDistribution:
        """See base class."""
        return MultiCategoricalDistribution(policy["logits"], self.action.num_values)
