"""Torsos: the layers under the heads, one builder for each kind of observation."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import keras
import tensorflow as tf
from annotated_types import Len

from hts_tf import errors, specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.networks import sparse_convolution


class Seeds:
    """Hands every initialiser a seed of its own, in the order of asking."""

    def __init__(self, seed: int) -> None:
        self._next = seed

    def orthogonal(self, gain: float) -> keras.initializers.Initializer:
        """Returns an orthogonal initialiser with the next seed."""
        self._next += 1
        return keras.initializers.Orthogonal(gain, seed=self._next)


def dense(units: int, seeds: Seeds, gain: float) -> keras.layers.Dense:
    """Returns the linear layer of a head, in float32."""
    kernel = seeds.orthogonal(gain)
    return keras.layers.Dense(units, dtype="float32", kernel_initializer=kernel)


class ToFloat(keras.layers.Layer):
    """Casts observations to float32 and scales them as their specs say."""

    def __init__(self, spec: trees.Tree, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._scale = trees.map(lambda leaf: leaf.scale, spec)

    def call(self, observation: trees.Tree) -> trees.Tree:
        """Casts and scales: any shape."""
        return trees.map(
            lambda x, scale: tf.cast(x, self.compute_dtype) * scale, observation, self._scale
        )


class Concatenate(keras.layers.Layer):
    """Makes one vector of all arrays of an observation, in the order of their names."""

    def call(self, observation: trees.Tree) -> tf.Tensor:
        """Flattens and concatenates: any shapes [B, ...]."""
        return tf.concat(
            [tf.reshape(x, (tf.shape(x)[0], -1)) for x in tf.nest.flatten(observation)], axis=-1
        )


Torso = Callable[[trees.Tree, Seeds], Sequence[keras.layers.Layer]]


def _check_convolutions(spec: specs.ArraySpec, convolutions: Sequence[Sequence[int]]) -> None:
    shape = spec.dense_shape if isinstance(spec, specs.PixelMapSpec) else spec.shape
    if len(shape) != 3:
        raise errors.ConfigError(
            f"ActorCritic.torso = @nature_cnn is for an image, not for an array {shape}: "
            "bind another"
        )
    side = min(shape[:2])
    for number, (_, kernel_size, strides) in enumerate(convolutions, 1):
        if kernel_size > side:
            raise errors.ConfigError(
                f"nature_cnn.convolutions: the kernel of number {number} is {kernel_size} wide, "
                f"but what it gets is only {side} wide: bind smaller ones, or another torso"
            )
        side = (side - kernel_size) // strides + 1


Convolution = Annotated[Sequence[values.Size], Len(3, 3)]  # filters, kernel size, strides


@configurable(denylist=["spec", "seeds"])
def nature_cnn(
    spec: specs.ArraySpec,
    seeds: Seeds,
    convolutions: Annotated[Sequence[Convolution], Len(1, 32)] = (
        (32, 8, 4),
        (64, 4, 2),
        (64, 3, 1),
    ),
    dense: values.Size = 512,
) -> list[keras.layers.Layer]:
    """Layers of the torso of Mnih et al. 2015 ("Nature CNN"), for images.

    Args:
      spec: of the observation: a [height, width, channels] array or a pixel map.
      seeds: of the initialisers.
      convolutions: (filters, kernel size, strides) of each.
      dense: units of the last layer.

    Raises:
      ConfigError: the observation is not an image, or too small.
    """
    if not isinstance(spec, specs.ArraySpec):
        raise errors.ConfigError(
            "ActorCritic.torso = @nature_cnn is for one image, not for an observation of "
            f"{', '.join(name for name, _ in trees.named(spec))}: bind another"
        )
    is_sparse = isinstance(spec, specs.PixelMapSpec)
    _check_convolutions(spec, convolutions)
    gain = math.sqrt(2.0)
    stack: list[keras.layers.Layer] = []
    for sizes in convolutions:
        kernel = {"kernel_initializer": seeds.orthogonal(gain)}
        if is_sparse and not stack:
            stack.append(sparse_convolution.SparseConv2D(spec, *sizes, **kernel))
        else:
            stack.append(keras.layers.Conv2D(*sizes, **kernel))
    if is_sparse and len(stack) > 1:
        stack[:2] = [sparse_convolution.SparseConv2DPair(*stack[:2])]
    layers: list[keras.layers.Layer] = [] if is_sparse else [ToFloat(spec)]
    for layer in stack:
        layers += [layer, keras.layers.ReLU()]
    return [
        *layers,
        keras.layers.Flatten(),
        keras.layers.Dense(dense, "relu", kernel_initializer=seeds.orthogonal(gain)),
    ]


@configurable(denylist=["spec", "seeds"])
def mlp(
    spec: trees.Tree, seeds: Seeds, units: Annotated[Sequence[values.Size], Len(0, 256)] = (64, 64)
) -> list[keras.layers.Layer]:
    """Layers of a torso of dense ReLU layers, for vectors.

    Args:
      spec: of the observation: arrays of any shape.
      seeds: of the initialisers.
      units: of each layer.
    """
    gain = math.sqrt(2.0)
    return [
        ToFloat(spec),
        keras.layers.Flatten() if isinstance(spec, specs.ArraySpec) else Concatenate(),
        *(keras.layers.Dense(n, "relu", kernel_initializer=seeds.orthogonal(gain)) for n in units),
    ]
