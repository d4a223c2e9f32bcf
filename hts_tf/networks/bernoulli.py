"""The action head for bools."""

import math

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.initialisation import Seeds, dense


class BernoulliDistribution:
    """Of independent bools, computed as TensorFlow Probability's `Independent` one is."""

    def __init__(self, logits: tf.Tensor, num_axes: int) -> None:
        """Takes what the distribution is made of.

        Args:
          logits: [..., *shape] of log(p / (1 - p)), where p is the probability of true.
          num_axes: of one action's shape.
        """
        self.logits = logits
        self._axes = list(range(-num_axes, 0))

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s), [...], of actions [..., *shape] of bools."""
        logits = tf.where(value, self.logits, -self.logits)
        return -tf.reduce_sum(tf.nn.softplus(-logits), self._axes)

    def entropy(self) -> tf.Tensor:
        """Returns the entropies, [...], in nats."""
        logits = self.logits
        true = tf.sigmoid(logits) * tf.nn.softplus(-logits)
        false = tf.sigmoid(-logits) * tf.nn.softplus(logits)
        return tf.reduce_sum(true + false, self._axes)

    def kl_divergence(self, other: "BernoulliDistribution") -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""
        ours, theirs = self.logits, other.logits
        true = tf.sigmoid(ours) * (tf.nn.softplus(-theirs) - tf.nn.softplus(-ours))
        false = tf.sigmoid(-ours) * (tf.nn.softplus(theirs) - tf.nn.softplus(ours))
        return tf.reduce_sum(true + false, self._axes)


@configurable(denylist=["action", "seeds"])
class Bernoulli(ActionHead):
    """A logit for each bool by one linear layer, and logistic noise: true if logit + noise > 0.

    Orthogonal initialisation, gain 0.01.
    """

    def __init__(self, action: specs.ArraySpec, seeds: Seeds) -> None:
        """See base class."""
        super().__init__(action, seeds)
        self._linear = dense(math.prod(action.shape), seeds, gain=0.01)

    @classmethod
    def serves(cls, action: specs.ArraySpec) -> bool:
        """See base class."""
        return action.dtype == "bool"

    @property
    def parameters(self) -> dict[str, specs.ArraySpec]:
        """See base class."""
        return {"logits": specs.ArraySpec(self.action.shape, "float32")}

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return self.parameters["logits"]

    def call(self, features: tf.Tensor, observation: trees.Tree) -> dict[str, tf.Tensor]:
        """See base class."""
        return {"logits": keras.ops.reshape(self._linear(features), (-1, *self.action.shape))}

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws standard logistic numbers."""
        return random.logistic(size=(*shape, *self.noise.shape)).astype(np.float32)

    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """See base class."""
        return policy["logits"] + noise > 0

    def distribution(self, policy: dict[str, tf.Tensor]) -> BernoulliDistribution:
        """See base class."""
        return BernoulliDistribution(policy["logits"], len(self.action.shape))
