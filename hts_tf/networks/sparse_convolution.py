"""Convolutions of sparse binary images, given by their set pixels instead of as images.

The weights and the functions are those of Keras' dense `Conv2D` ('valid' padding), in a fraction of
the arithmetic: a stacked super mini map has at most 96 set pixels among 110,592.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks import native_ops
from hts_tf.networks.transparent import Transparent


class SparseConv2D(Transparent):
    """A `Conv2D` that touches only the kernel rows under set pixels.

    The output is the sum, over pixels, of the kernel slice that each output cell in reach has at
    the pixel's place.

    Attributes:
      output_size: (rows, columns) of the output.
      filters: its channels.
      strides: of the kernel, in pixels.
    """

    def __init__(
        self,
        spec: specs.PixelMapSpec,
        filters: int,
        kernel_size: int,
        strides: int,
        kernel_initializer: keras.initializers.Initializer,
    ) -> None:
        super().__init__(dtype="float32")  # long sums, whatever the precision elsewhere
        height, width, channels = spec.dense_shape
        self.filters = filters
        self.strides = strides
        self.output_size = (
            (height - kernel_size) // strides + 1,
            (width - kernel_size) // strides + 1,
        )
        self._kernel_initializer = kernel_initializer
        self._kernel_shape = (kernel_size, kernel_size, channels, filters)
        self.cells, self.taps = self._tabulate(spec, kernel_size, strides)
        frame_start = np.arange(spec.frames) * (channels // spec.frames)
        self.channel = (frame_start[:, None] + np.asarray(spec.planes)).astype(np.int32)

    def _tabulate(
        self, spec: specs.PixelMapSpec, kernel_size: int, strides: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tabulates, for each position, the output cells in whose window it lies.

        Returns:
          cells: [65536, reach] int32, index of the output cell; so negative where there is none
            that adding any batch offset leaves it negative.
          taps: [65536, reach] int32, row of the kernel at channel 0.
        """
        position = np.arange(spec.height * spec.width)
        y, x = position // spec.width, position % spec.width
        cell, tap = windows(y, x, self.output_size, kernel_size, strides)
        cells = np.full((specs.PixelMapSpec.NO_PIXEL + 1, cell.shape[1]), -(2**30), np.int32)
        taps = np.zeros_like(cells)
        cells[position] = np.where(cell >= 0, cell, -(2**30))
        taps[position] = np.where(cell >= 0, tap * self._kernel_shape[2], 0)
        return cells, taps

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates `kernel` [size, size, channels, filters] and `bias` [filters], as Conv2D."""
        self.kernel = self.add_weight(
            shape=self._kernel_shape, initializer=self._kernel_initializer, name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Convolves.

        Args:
          positions: [B, frames, pixels] uint16; or, for what is to do without them, the images
            themselves: [B, height, width, channels], floats.

        Returns:
          [B, rows, columns, filters].
        """
        if isinstance(positions, keras.KerasTensor):
            return self._convolved(positions)
        if positions.shape.rank == 4:
            return tf.nn.conv2d(positions, self.kernel, self.strides, "VALID") + self.bias
        rows, columns = self.output_size
        taps, cells = self.slices(positions)
        sums = sum_rows(self.kernel_rows(), taps, cells, tf.shape(positions)[0] * rows * columns)
        return tf.reshape(sums, (-1, rows, columns, self.filters)) + self.bias

    def _convolved(self, image: keras.KerasTensor) -> keras.KerasTensor:
        """Convolves images in functional models of Keras's, which get the dense layer."""
        size, _, _, filters = self._kernel_shape
        dense = keras.layers.Conv2D(filters, size, self.strides, dtype="float32")
        dense.build(image.shape)
        dense.set_weights(self.get_weights())
        return dense(image)

    def kernel_rows(self) -> tf.Tensor:
        """Returns the kernel as [size * size * channels, filters]."""
        return tf.reshape(self.kernel, (-1, self.filters))

    def slices(self, positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds what every set pixel adds to every output cell in reach.

        Args:
          positions: [B, frames, pixels] uint16.

        Returns:
          [n] int32, rows of the kernel, and [n] int32, the cell that each belongs to: its index in
          [B * rows * columns].
        """
        rows, columns = self.output_size
        positions = tf.cast(positions, tf.int32)
        offset = tf.range(tf.shape(positions)[0]) * (rows * columns)
        cells = tf.gather(self.cells, positions) + offset[:, None, None, None]
        taps = tf.gather(self.taps, positions) + self.channel[:, :, None]
        in_reach = tf.where(tf.reshape(cells, (-1,)) >= 0)[:, 0]
        cells = tf.gather(tf.reshape(cells, (-1,)), in_reach)
        taps = tf.gather(tf.reshape(taps, (-1,)), in_reach)
        return taps, cells


def windows(
    y: np.ndarray, x: np.ndarray, output_size: tuple[int, int], size: int, strides: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the windows of a convolution in which places of its input lie.

    Args:
      y: [n], rows of the places.
      x: [n], their columns.
      output_size: (rows, columns) of the output.
      size: of the kernel.
      strides: of the convolution.

    Returns:
      cell: [n, reach], index of the window's output cell, or -1. `reach` runs over kernel rows
        and columns, in steps of the strides.
      tap: [n, reach], the place's index in that window.
    """
    rows, columns = output_size
    span = range(-(-size // strides))
    reach = [(a, b) for a in span for b in span]
    row = y[:, None] // strides - np.array([a for a, _ in reach])
    column = x[:, None] // strides - np.array([b for _, b in reach])
    tap_y, tap_x = y[:, None] - row * strides, x[:, None] - column * strides
    exists = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    exists &= (tap_y < size) & (tap_x < size)
    return np.where(exists, row * columns + column, -1), tap_y * size + tap_x


@tf.custom_gradient
def sum_rows(
    rows: tf.Tensor, source: tf.Tensor, target: tf.Tensor, num_targets: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor | None, ...]]]:
    """Adds rows[source[i]] to row target[i] of the output, in the order of i.

    Its gradient is the same with source and target exchanged.

    Args:
      rows: [m, filters].
      source: [n] int32; negative ones are left out.
      target: [n] int32; negative ones are left out.
      num_targets: scalar int32.

    Returns:
      [num_targets, filters].
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        return _sum_rows_once(upstream, target, source, tf.shape(rows)[0]), None, None, None

    return _sum_rows_once(rows, source, target, num_targets), gradient


def _sum_rows_once(
    rows: tf.Tensor, source: tf.Tensor, target: tf.Tensor, num_targets: tf.Tensor
) -> tf.Tensor:
    native = native_ops.load()
    if native:
        return native.hts_sum_rows(rows, source, target, num_targets)
    target = tf.where(source < 0, -1, target)
    return tf.math.unsorted_segment_sum(tf.gather(rows, tf.maximum(source, 0)), target, num_targets)
