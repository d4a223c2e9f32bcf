"""Torsos: the layers under the heads, one builder for each kind of observation."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import keras
import numpy as np
import tensorflow as tf
from annotated_types import Len

from hts_tf import errors, specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.sparse_convolution import SparseConv2D
from hts_tf.networks.sparse_convolution_pair import SparseConv2DPair
from hts_tf.networks.transparent import Transparent

_MOST_VALUES = 1 << 22  # of what is to be a one-hot vector


class ToFloat(Transparent):
    """Makes floats of observations.

    Numbers and bools are cast, and scaled as their specs say; discrete ones become one-hot
    vectors [B, sum of num_values], one after another.
    """

    def __init__(self, spec: trees.Tree) -> None:
        super().__init__()
        for leaf in filter(_is_discrete, trees.leaves(spec)):
            if sum(_counts(leaf)) > _MOST_VALUES:
                raise errors.ConfigError(
                    f"an observation with {sum(_counts(leaf)):,} values would be a one-hot vector "
                    "of that length: have the environment tell it otherwise, such as by its digits",
                    page="your_own_environment.md#what-is-served",
                )
        self._spec = spec

    def call(self, observation: trees.Tree) -> trees.Tree:
        """Converts: any shapes [B, ...]."""
        return trees.map(self._to_float, self._spec, observation)

    def _to_float(self, spec: specs.ArraySpec, x: tf.Tensor) -> tf.Tensor:
        if _is_discrete(spec):
            return keras.ops.cast(_one_hot(spec, x), self.compute_dtype)
        return keras.ops.cast(x, self.compute_dtype) * spec.scale


def _one_hot(spec: specs.DiscreteSpec | specs.MultiDiscreteSpec, x: tf.Tensor) -> tf.Tensor:
    """Returns [B, sum of num_values] bool of integers [B, ...]."""
    counts = _counts(spec)
    size = len(counts)
    places = np.repeat(np.arange(size), counts)  # of the integer that each bool asks
    values_ = np.concatenate([np.arange(count) for count in counts])  # for which value
    flat = keras.ops.reshape(keras.ops.cast(x, "int64"), (-1, size))
    return keras.ops.equal(keras.ops.take(flat, places, axis=1), values_)


def _counts(spec: specs.DiscreteSpec | specs.MultiDiscreteSpec) -> Sequence[int]:
    """Returns how many values each of its integers has."""
    return np.broadcast_to(specs.values_of(spec), spec.shape).ravel().tolist()


class Concatenate(Transparent):
    """Makes one vector of all arrays of an observation, in the order of their names."""

    def call(self, observation: trees.Tree) -> tf.Tensor:
        """Flattens and concatenates: any shapes [B, ...]."""
        return keras.ops.concatenate(
            [
                keras.ops.reshape(x, (-1, math.prod(x.shape[1:])))
                for x in tf.nest.flatten(observation)
            ],
            axis=-1,
        )


Torso = Callable[[trees.Tree, Seeds], Sequence[keras.layers.Layer]]


def layers_of(torso: Torso, spec: trees.Tree, seeds: Seeds) -> list[keras.layers.Layer]:
    """Returns the layers of a torso, also of one that makes a single layer, or a model."""
    made = torso(spec, seeds)
    return [made] if isinstance(made, keras.layers.Layer) else [*made]


def through(layers: Sequence[keras.layers.Layer], x: trees.Tree) -> tf.Tensor:
    """Returns what layers, one after the other, make of an observation."""
    for layer in layers:
        x = layer(x)
    return x


def seen_by_policy(observation: trees.Tree) -> trees.Tree:
    """Returns what a policy's torso sees of an observation, or of its spec.

    All but `specs.ACTION_MASK` and `specs.CRITIC_STATE`; an entry that they leave alone stands for
    itself.

    Raises:
      ConfigError: nothing else is in it.
    """
    return without(observation, specs.ACTION_MASK, specs.CRITIC_STATE)


def seen_by_critic(observation: trees.Tree) -> trees.Tree:
    """Returns what a value's own torso sees, all but `specs.ACTION_MASK`; see `seen_by_policy`."""
    return without(observation, specs.ACTION_MASK)


def without(observation: trees.Tree, *names: str) -> trees.Tree:
    """Returns an observation, or its spec, but for some entries; see `seen_by_policy`."""
    if not isinstance(observation, dict) or not any(name in observation for name in names):
        return observation
    seen = {name: entry for name, entry in observation.items() if name not in names}
    if not seen:
        raise errors.ConfigError("the environment's observation has nothing in it to be seen")
    return seen if len(seen) > 1 else next(iter(seen.values()))


def _is_discrete(spec: specs.ArraySpec) -> bool:
    """Returns whether arrays of a kind hold choices, not amounts."""
    return isinstance(spec, (specs.DiscreteSpec, specs.MultiDiscreteSpec))


def image_shape(spec: specs.ArraySpec) -> tuple[int, int, int] | None:
    """Returns [height, width, channels] of an image; None for what is none.

    An image is a pixel map, or any three-dimensional array that is not discrete. If its first axis
    is shorter than both others, that one has the channels, as in stacked frames; else the last has.
    """
    if isinstance(spec, specs.PixelMapSpec):
        return spec.dense_shape
    if len(spec.shape) != 3 or _is_discrete(spec):
        return None
    return (*spec.shape[1:], spec.shape[0]) if _channels_first(spec) else spec.shape


def _channels_first(spec: specs.ArraySpec) -> bool:
    return spec.shape[0] < min(spec.shape[1:])


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
      spec: of the observation: an image, see `image_shape`.
      seeds: of the initialisers.
      convolutions: (filters, kernel size, strides) of each.
      dense: units of the last layer.

    Raises:
      ConfigError: the observation is not an image, or too small.
    """
    return _convolutional("nature_cnn", spec, seeds, convolutions, dense)


@configurable(denylist=["spec", "seeds"])
def small_cnn(
    spec: specs.ArraySpec, seeds: Seeds, filters: values.Size = 16, dense: values.Size = 128
) -> list[keras.layers.Layer]:
    """Layers of the torso of Young and Tian 2019 (MinAtar, arXiv 1903.03176), for small images.

    One convolution, 3 wide with strides of 1, and a dense layer.

    Args:
      spec: of the observation: an image at least 3 wide, see `image_shape`.
      seeds: of the initialisers.
      filters: of the convolution.
      dense: units of the last layer.

    Raises:
      ConfigError: the observation is not an image, or too small.
    """
    return _convolutional("small_cnn", spec, seeds, ((filters, 3, 1),), dense)


def _convolutional(
    name: str,
    spec: specs.ArraySpec,
    seeds: Seeds,
    convolutions: Sequence[Sequence[int]],
    dense: int,
) -> list[keras.layers.Layer]:
    """Returns convolutions and a dense layer, all ReLU. Raises: ConfigError: they do not fit."""
    _check_convolutions(name, spec, convolutions)
    is_sparse = isinstance(spec, specs.PixelMapSpec)
    gain = math.sqrt(2.0)
    stack: list[keras.layers.Layer] = []
    for sizes in convolutions:
        kernel = {"kernel_initializer": seeds.orthogonal(gain)}
        if is_sparse and not stack:
            stack.append(SparseConv2D(spec, *sizes, **kernel))
        else:
            stack.append(keras.layers.Conv2D(*sizes, **kernel))
    if is_sparse and len(stack) > 1:
        stack[:2] = [SparseConv2DPair(*stack[:2])]
    layers: list[keras.layers.Layer] = [] if is_sparse else [ToFloat(spec)]
    if not is_sparse and _channels_first(spec):
        layers.append(keras.layers.Permute((2, 3, 1)))
    for layer in stack:
        layers += [layer, keras.layers.ReLU()]
    return [
        *layers,
        keras.layers.Flatten(),
        keras.layers.Dense(dense, "relu", kernel_initializer=seeds.orthogonal(gain)),
    ]


def _check_convolutions(
    name: str, spec: specs.ArraySpec, convolutions: Sequence[Sequence[int]]
) -> None:
    if not isinstance(spec, specs.ArraySpec):
        raise errors.ConfigError(
            f"the torso @{name} is for one image, not for an observation of "
            f"{', '.join(leaf for leaf, _ in trees.named(spec))}: bind another"
        )
    shape = image_shape(spec)
    if shape is None:
        raise errors.ConfigError(
            f"the torso @{name} is for an image, not for an array {spec.shape}: bind another"
        )
    side = min(shape[:2])
    for number, (_, kernel_size, strides) in enumerate(convolutions, 1):
        if kernel_size > side:
            raise errors.ConfigError(
                f"@{name}: the kernel of number {number} is {kernel_size} wide, "
                f"but what it gets is only {side} wide: bind smaller ones, or another torso"
            )
        side = (side - kernel_size) // strides + 1


@configurable(denylist=["spec", "seeds"])
def mlp(
    spec: trees.Tree,
    seeds: Seeds,
    units: Annotated[Sequence[values.Size], Len(0, 256)] = (64, 64),
    activation: Literal["relu", "tanh"] = "relu",
) -> list[keras.layers.Layer]:
    """Layers of a torso of dense layers, for vectors.

    Args:
      spec: of the observation: arrays of any shape.
      seeds: of the initialisers.
      units: of each layer.
      activation: of each layer; 'tanh' is usual for PPO on MuJoCo.

    Raises:
      ConfigError: there is a map of pixels, whose positions are no amounts.
    """
    if any(isinstance(leaf, specs.PixelMapSpec) for leaf in trees.leaves(spec)):
        raise errors.ConfigError(
            "the torso @mlp is not for maps of pixels: bind @nature_cnn, or such as "
            "Football.representation = 'relative'"
        )
    gain = math.sqrt(2.0)
    return [
        ToFloat(spec),
        keras.layers.Flatten() if isinstance(spec, specs.ArraySpec) else Concatenate(),
        *(
            keras.layers.Dense(n, activation, kernel_initializer=seeds.orthogonal(gain))
            for n in units
        ),
    ]
