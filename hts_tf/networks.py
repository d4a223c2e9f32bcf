"""Keras networks: a torso for each kind of observation, with a policy and a value head."""

import hashlib
import math
from collections.abc import Callable, Sequence

import gin
import keras
import numpy as np
import tensorflow as tf

from hts_tf import sparse_convolution, specs


class _Seeds:
    """Hands every initialiser a seed of its own, in the order of asking."""

    def __init__(self, seed: int) -> None:
        self._next = seed

    def orthogonal(self, gain: float) -> keras.initializers.Initializer:
        self._next += 1
        return keras.initializers.Orthogonal(gain, seed=self._next)


class ToFloat(keras.layers.Layer):
    """Casts an array observation to float32 and scales it as its spec says."""

    def __init__(self, spec: specs.ArraySpec, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._scale = spec.scale

    def call(self, observation: tf.Tensor) -> tf.Tensor:
        """Casts and scales: any shape."""
        return tf.cast(observation, self.compute_dtype) * self._scale


Torso = Callable[[specs.ArraySpec, _Seeds], list[keras.layers.Layer]]


@gin.configurable
def nature_cnn(
    spec: specs.ArraySpec,
    seeds: _Seeds,
    convolutions: Sequence[tuple[int, int, int]] = ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    dense: int = 512,
) -> list[keras.layers.Layer]:
    """Layers of the torso of Mnih et al. 2015 ("Nature CNN"), for images.

    Args:
      spec: of the observation: a [height, width, channels] array or a pixel map.
      seeds: of the initialisers.
      convolutions: (filters, kernel size, strides) of each.
      dense: units of the last layer.
    """
    gain = math.sqrt(2.0)
    stack: list[keras.layers.Layer] = []
    for filters, kernel_size, strides in convolutions:
        kernel = {"kernel_initializer": seeds.orthogonal(gain)}
        if stack or not isinstance(spec, specs.PixelMapSpec):
            stack.append(keras.layers.Conv2D(filters, kernel_size, strides, **kernel))
        else:
            stack.append(
                sparse_convolution.SparseConv2D(spec, filters, kernel_size, strides, **kernel)
            )
    if not isinstance(spec, specs.PixelMapSpec):
        layers: list[keras.layers.Layer] = [ToFloat(spec)]
    else:
        layers = []
        if len(stack) > 1:
            stack[:2] = [sparse_convolution.SparseConv2DPair(*stack[:2])]
    for layer in stack:
        layers += [layer, keras.layers.ReLU()]
    return [
        *layers,
        keras.layers.Flatten(),
        keras.layers.Dense(dense, "relu", kernel_initializer=seeds.orthogonal(gain)),
    ]


@gin.configurable
def mlp(
    spec: specs.ArraySpec, seeds: _Seeds, units: Sequence[int] = (64, 64)
) -> list[keras.layers.Layer]:
    """Layers of a torso of dense ReLU layers, for vectors.

    Args:
      spec: of the observation, an array of any shape.
      seeds: of the initialisers.
      units: of each layer.
    """
    gain = math.sqrt(2.0)
    return [
        ToFloat(spec),
        keras.layers.Flatten(),
        *(keras.layers.Dense(n, "relu", kernel_initializer=seeds.orthogonal(gain)) for n in units),
    ]


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
        seeds = _Seeds(seed)
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
