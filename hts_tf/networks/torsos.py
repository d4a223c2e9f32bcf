"""Torsos: the layers under the heads, one builder for each kind of observation."""

import math
from collections.abc import Callable, Sequence

import gin
import keras
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks import sparse_convolution


class Seeds:
    """Hands every initialiser a seed of its own, in the order of asking."""

    def __init__(self, seed: int) -> None:
        self._next = seed

    def orthogonal(self, gain: float) -> keras.initializers.Initializer:
        """Returns an orthogonal initialiser with the next seed."""
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


Torso = Callable[[specs.ArraySpec, Seeds], list[keras.layers.Layer]]


@gin.configurable
def nature_cnn(
    spec: specs.ArraySpec,
    seeds: Seeds,
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
    spec: specs.ArraySpec, seeds: Seeds, units: Sequence[int] = (64, 64)
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
