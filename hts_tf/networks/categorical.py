"""The action head for one choice out of several."""

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.initialisation import Seeds, dense

# The logit of what must not be taken. Probabilities and gradients there are zero, and yet log_prob,
# entropy and KL stay finite, which they would not with -inf.
FORBIDDEN = -1e9


def permitted(logits: tf.Tensor, observation: trees.Tree) -> tf.Tensor:
    """Returns logits [B, A] in which those are `FORBIDDEN` that the observation's mask forbids.

    Without a mask they are as they were; where it forbids everything, all are alike.
    """
    mask = specs.action_mask_of(observation)
    return logits if mask is None else keras.ops.where(mask, logits, FORBIDDEN)


def largest(scores: tf.Tensor) -> tf.Tensor:
    """Returns the index of the greatest, [...] int32, of scores [..., A]."""
    if isinstance(scores, keras.KerasTensor):
        return keras.ops.argmax(scores, axis=-1)
    # Keras's tells 0 from -0, by operations that TFLite does not have.
    return tf.argmax(scores, axis=-1, output_type=tf.int32)


class CategoricalDistribution:
    """What learners need of TensorFlow Probability's distribution of this name, computed alike.

    Importing the library takes seconds and a hundred megabytes, which a training can do without.
    """

    def __init__(self, logits: tf.Tensor) -> None:
        """Takes logits, [..., A]."""
        self.logits = logits

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s) of actions [...] of whole numbers."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.cast(value, tf.int32), self.logits
        )

    def entropy(self) -> tf.Tensor:
        """Returns the entropies, [...], in nats; logits must be finite."""
        log_probs = tf.nn.log_softmax(self.logits)
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)

    def kl_divergence(self, other: "CategoricalDistribution") -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""
        ours, theirs = tf.nn.log_softmax(self.logits), tf.nn.log_softmax(other.logits)
        return tf.reduce_sum(tf.exp(ours) * (ours - theirs), axis=-1)


@configurable(denylist=["action", "seeds"])
class Categorical(ActionHead):
    """Logits by one linear layer; actions by the Gumbel-max trick: argmax(logits + noise).

    Keeps to the observation's mask of permitted actions. Orthogonal initialisation, gain 0.01.
    """

    def __init__(self, action: specs.ArraySpec, seeds: Seeds) -> None:
        """See base class."""
        super().__init__(action, seeds)
        self._linear = dense(self.num_logits, seeds, gain=0.01)

    @classmethod
    def serves(cls, action: specs.ArraySpec) -> bool:
        """See base class."""
        return isinstance(action, specs.DiscreteSpec) and not action.shape

    @property
    def num_logits(self) -> int:
        """How many logits there are for one action."""
        return int(self.action.num_values)

    @property
    def action_mask(self) -> specs.ArraySpec:
        """See base class."""
        return specs.ArraySpec((self.num_logits,), "bool")

    @property
    def parameters(self) -> dict[str, specs.ArraySpec]:
        """See base class."""
        return {"logits": specs.ArraySpec((self.num_logits,), "float32")}

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return self.parameters["logits"]

    def call(self, features: tf.Tensor, observation: trees.Tree) -> dict[str, tf.Tensor]:
        """See base class."""
        return {"logits": permitted(self._linear(features), observation)}

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws standard Gumbel numbers."""
        return random.gumbel(size=(*shape, *self.noise.shape)).astype(np.float32)

    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """See base class."""
        return keras.ops.cast(largest(policy["logits"] + noise), self.action.dtype)

    def distribution(self, policy: dict[str, tf.Tensor]) -> CategoricalDistribution:
        """See base class."""
        return CategoricalDistribution(policy["logits"])
