"""The action head for one choice out of several."""

import numpy as np
import tensorflow as tf

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.torsos import Seeds, dense


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

    Orthogonal initialisation, gain 0.01.
    """

    def __init__(self, action: specs.ArraySpec, seeds: Seeds) -> None:
        """See base class."""
        super().__init__(action, seeds)
        if not isinstance(action, specs.DiscreteSpec):
            raise errors.ConfigError(
                "ActorCritic.head = @Categorical is for discrete actions, not for arrays "
                f"{action.shape} of {action.dtype}: bind another"
            )
        self._linear = dense(action.num_values, seeds, gain=0.01)

    @property
    def parameters(self) -> dict[str, specs.ArraySpec]:
        """See base class."""
        return {"logits": specs.ArraySpec((self.action.num_values,), "float32")}

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return specs.ArraySpec((self.action.num_values,), "float32")

    def call(self, features: tf.Tensor, observation: trees.Tree) -> dict[str, tf.Tensor]:
        """See base class."""
        return {"logits": self._linear(features)}

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws standard Gumbel numbers."""
        return random.gumbel(size=(*shape, *self.noise.shape)).astype(np.float32)

    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """See base class."""
        action = tf.argmax(policy["logits"] + noise, axis=-1, output_type=tf.int32)
        return tf.cast(action, self.action.dtype)

    def distribution(self, policy: dict[str, tf.Tensor]) -> CategoricalDistribution:
        """See base class."""
        return CategoricalDistribution(policy["logits"])
