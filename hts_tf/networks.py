"""Keras networks: a torso for each kind of observation, with a policy and a value head."""

import hashlib
import math
from collections.abc import Callable, Sequence

import gin
import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs


class SparseConv2D(keras.layers.Layer):
    """A `Conv2D` ('valid' padding) of a sparse binary image given by its set pixels.

    Same weights, same function as the dense layer on `spec.to_dense(...)`, but it touches only
    the kernel rows under set pixels: the output is the sum, over pixels, of the kernel slice
    that each output cell in reach has at the pixel's place.
    """

    def __init__(
        self,
        spec: specs.PixelMapSpec,
        filters: int,
        kernel_size: int,
        strides: int,
        kernel_initializer: keras.initializers.Initializer,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        height, width, channels = spec.dense_shape
        self._filters = filters
        self._kernel_initializer = kernel_initializer
        self._kernel_shape = (kernel_size, kernel_size, channels, filters)
        self._output_size = (
            (height - kernel_size) // strides + 1,
            (width - kernel_size) // strides + 1,
        )
        self._cells, self._taps = self._reach(spec, kernel_size, strides)
        frame_start = np.arange(spec.frames) * (channels // spec.frames)
        self._channel = (frame_start[:, None] + np.asarray(spec.planes)).astype(np.int32)

    def _reach(
        self, spec: specs.PixelMapSpec, kernel_size: int, strides: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tabulates, for each position, the output cells in whose window it lies.

        Returns:
          cells: [65536, reach] int32, index of the output cell; so negative where there is none
            that adding any batch offset leaves it negative.
          taps: [65536, reach] int32, row of the kernel at channel 0.
        """
        rows, columns = self._output_size
        channels = self._kernel_shape[2]
        position = np.arange(spec.height * spec.width)
        y, x = position // spec.width, position % spec.width
        span = range(-(-kernel_size // strides))
        cells = np.full((specs.PixelMapSpec.NO_PIXEL + 1, len(span) ** 2), -(2**30), np.int32)
        taps = np.zeros_like(cells)
        for reach, (a, b) in enumerate((a, b) for a in span for b in span):
            row, column = y // strides - a, x // strides - b
            tap_y, tap_x = y - row * strides, x - column * strides
            valid = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            valid &= (tap_y < kernel_size) & (tap_x < kernel_size)
            cells[position[valid], reach] = (row * columns + column)[valid]
            taps[position[valid], reach] = ((tap_y * kernel_size + tap_x) * channels)[valid]
        return cells, taps

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates `kernel` [size, size, channels, filters] and `bias` [filters], as Conv2D."""
        self.kernel = self.add_weight(
            shape=self._kernel_shape, initializer=self._kernel_initializer, name="kernel"
        )
        self.bias = self.add_weight(shape=(self._filters,), initializer="zeros", name="bias")

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Convolves.

        Args:
          positions: [B, frames, pixels] uint16.

        Returns:
          [B, rows, columns, filters].
        """
        rows, columns = self._output_size
        batch = tf.shape(positions)[0]
        positions = tf.cast(positions, tf.int32)
        offset = tf.range(batch) * (rows * columns)
        cells = tf.gather(self._cells, positions) + offset[:, None, None, None]
        taps = tf.gather(self._taps, positions) + self._channel[:, :, None]
        in_reach = tf.where(tf.reshape(cells, (-1,)) >= 0)[:, 0]
        sums = _sum_kernel_slices(
            tf.reshape(tf.convert_to_tensor(self.kernel), (-1, self._filters)),
            tf.gather(tf.reshape(taps, (-1,)), in_reach),
            tf.gather(tf.reshape(cells, (-1,)), in_reach),
            batch * (rows * columns),
        )
        return tf.reshape(sums, (-1, rows, columns, self._filters)) + self.bias


@tf.custom_gradient
def _sum_kernel_slices(
    kernel: tf.Tensor, taps: tf.Tensor, cells: tf.Tensor, num_cells: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Adds kernel[taps[i]] to the output row cells[i], for every i.

    TensorFlow's own gradient is the same sum, but takes several passes over the slices to
    allow for indices that are out of range.

    Args:
      kernel: [rows, filters].
      taps: [n] int32, rows of the kernel.
      cells: [n] int32, rows of the output.
      num_cells: scalar.

    Returns:
      [num_cells, filters].
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        slices = tf.gather(upstream, cells)
        return tf.math.unsorted_segment_sum(slices, taps, tf.shape(kernel)[0]), None, None, None

    return tf.math.unsorted_segment_sum(tf.gather(kernel, taps), cells, num_cells), gradient


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
    layers: list[keras.layers.Layer] = []
    for filters, kernel_size, strides in convolutions:
        kernel = {"kernel_initializer": seeds.orthogonal(gain)}
        if layers or not isinstance(spec, specs.PixelMapSpec):
            layers.append(keras.layers.Conv2D(filters, kernel_size, strides, **kernel))
        else:
            layers.append(SparseConv2D(spec, filters, kernel_size, strides, **kernel))
        layers.append(keras.layers.ReLU())
    if not isinstance(spec, specs.PixelMapSpec):
        layers.insert(0, ToFloat(spec))
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
        self._copy_from = tf.function(self._assign_all)

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
