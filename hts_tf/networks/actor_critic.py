"""The network: a torso for the kind of observation, with a policy and a value head."""

import hashlib

import gin
import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks.torsos import Seeds, Torso


@gin.configurable(denylist=["spec", "seed"])
class ActorCritic(keras.Model):
    """A torso with two linear heads: action logits and the value.

    Orthogonal initialisation, gain sqrt(2) in the torso, 0.01 for the policy head and 1 for the
    value head; biases zero.
    """

    def __init__(self, spec: specs.EnvironmentSpec, seed: int, torso: Torso = gin.REQUIRED) -> None:
        """Builds the network; the same seed gives the same weights.

        Args:
          spec: of the environment.
          seed: of the initial weights.
          torso: builds the torso's layers, for example `@nature_cnn`.
        """
        super().__init__()
        seeds = Seeds(seed)
        self._torso = torso(spec.observation, seeds)
        self._policy_head = keras.layers.Dense(
            spec.num_actions, dtype="float32", kernel_initializer=seeds.orthogonal(0.01)
        )
        self._value_head = keras.layers.Dense(
            1, dtype="float32", kernel_initializer=seeds.orthogonal(1.0)
        )
        self(np.zeros((2, *spec.observation.shape), spec.observation.dtype))
        self._copy_from = tf.function(self._assign_all, autograph=False)

    def call(self, observation: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Evaluates a batch.

        Args:
          observation: [B, ...] of the spec's shape and dtype.

        Returns:
          logits [B, num_actions] float32, value [B] float32.
        """
        features = observation
        for layer in self._torso:
            features = layer(features)
        return self._policy_head(features), tf.squeeze(self._value_head(features), -1)

    def copy_from(self, other: "ActorCritic") -> None:
        """Takes over the parameters of a network of the same shape."""
        self._copy_from([variable.value for variable in other.variables])

    def _assign_all(self, values: list[tf.Tensor]) -> None:
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def parameters_hash(self) -> str:
        """Returns the SHA-256, in hex, of the bytes of all parameters in order."""
        digest = hashlib.sha256()
        for variable in self.variables:
            digest.update(variable.numpy().tobytes())
        return digest.hexdigest()
