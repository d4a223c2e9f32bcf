"""Convolutions of sparse binary images, given by their set pixels instead of as images.

The weights and the functions are those of Keras' dense `Conv2D` ('valid' padding), in a fraction of
the arithmetic: a stacked super mini map has at most 96 set pixels among 110,592.
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks import native_ops
from hts_tf.networks.transparent import Transparent
from hts_tf.system.compute import MATRIX_ROWS


class SparseConv2D(Transparent):
    """A `Conv2D` that touches only the kernel rows under set pixels.

    The output is the sum, over pixels, of the kernel slice that each output cell in reach has at
    the pixel's place.

    Attributes:
      output_size: (rows, columns) of the output.
      filters: its channels.
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
        self._strides = strides
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
        cell, tap = _windows(y, x, self.output_size, kernel_size, strides)
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
            return tf.nn.conv2d(positions, self.kernel, self._strides, "VALID") + self.bias
        rows, columns = self.output_size
        taps, cells = self.slices(positions)
        sums = _sum_rows(self.kernel_rows(), taps, cells, tf.shape(positions)[0] * rows * columns)
        return tf.reshape(sums, (-1, rows, columns, self.filters)) + self.bias

    def _convolved(self, image: keras.KerasTensor) -> keras.KerasTensor:
        """Convolves images in functional models of Keras's, which get the dense layer."""
        size, _, _, filters = self._kernel_shape
        dense = keras.layers.Conv2D(filters, size, self._strides, dtype="float32")
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


class SparseConv2DPair(Transparent):
    """A sparse convolution, ReLU, and a second convolution, without the image between them.

    That image is the same everywhere, ReLU(bias), but for the cells within reach of a pixel. The
    second convolution is linear: its output is the one of the image that is the same everywhere
    (a constant, as there is no padding), plus what the other cells add by being different.
    Cells that use the same taps of the second kernel, those of the same place modulo its strides,
    are multiplied together.
    """

    def __init__(self, first: SparseConv2D, second: keras.layers.Conv2D) -> None:
        """Takes over two layers.

        Args:
          first: the sparse convolution.
          second: 'valid' padding, linear; as wide as high.
        """
        super().__init__(dtype="float32")
        self.first = first
        self.second = second
        rows, columns = first.output_size
        (size, _), (strides, _) = second.kernel_size, second.strides
        self.output_size = (rows - size) // strides + 1, (columns - size) // strides + 1
        self._strides = strides
        self._span = -(-size // strides)  # output cells in reach of a cell, in either direction
        cell = np.arange(rows * columns)
        y, x = cell // columns, cell % columns
        # A cell is known by its class, and its index in the part of the image of that class.
        part_columns = -(-columns // strides)
        self._part_size = -(-rows // strides) * part_columns
        kind, index = (
            y % strides * strides + x % strides,
            y // strides * part_columns + x // strides,
        )
        self._place = (kind * self._part_size + index).astype(np.int32)
        outputs, _ = _windows(y, x, self.output_size, size, strides)
        self._outputs = np.full((strides**2 * self._part_size, self._span**2), -1, np.int32)
        self._outputs[self._place] = outputs

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights of both layers."""
        self.first.build(input_shape)
        self.second.build((None, *self.first.output_size, self.first.filters))

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Convolves twice.

        Args:
          positions: see `SparseConv2D.call`.

        Returns:
          [B, rows, columns, filters] of the second convolution.
        """
        if len(positions.shape) == 4:
            return self.second(keras.ops.relu(self.first(positions)))
        taps, rows, count, outputs = self._plan(positions)
        sums = _sum_rows(self.first.kernel_rows(), taps, rows, tf.reduce_sum(count))
        background = tf.nn.relu(self.first.bias)
        difference = tf.nn.relu(sums + self.first.bias) - background
        products = [
            tf.matmul(rows, kernel)
            for rows, kernel in zip(
                tf.split(difference, count, num=self._strides**2),
                tf.unstack(self._kernel_by_class()),
                strict=True,
            )
        ]
        products = tf.reshape(tf.concat(products, 0), (-1, self.second.filters))
        sums = _sum_rows(
            products,
            tf.range(tf.size(outputs)),
            outputs,
            tf.shape(positions)[0] * math.prod(self.output_size),
        )
        constant = tf.linalg.matvec(
            tf.reduce_sum(self.second.kernel, (0, 1)), background, transpose_a=True
        )
        sums = tf.nn.bias_add(sums, constant + self.second.bias)
        return tf.reshape(sums, (-1, *self.output_size, self.second.filters))

    def _plan(self, positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Finds the touched cells, and what goes into and comes out of them.

        Touched cells are ordered by class, image, and place; to each class belong some more that do
        not exist, at least one, so that it has a multiple of `MATRIX_ROWS`.

        Args:
          positions: [B, frames, pixels] uint16.

        Returns:
          taps: [n] int32, rows of the first kernel.
          rows: [n] int32, the touched cell to which each is added.
          count: [classes] int32, touched cells.
          outputs: [sum of the counts * span * span] int32, the output cells that each reaches:
            index in [B * rows * columns], or negative where there is none.
        """
        native = native_ops.load()
        num_outputs = math.prod(self.output_size)
        if native:
            return native.hts_plan_pair(
                positions,
                self.first.cells,
                self.first.taps,
                self.first.channel,
                self._place,
                self._outputs.reshape(-1, self._part_size, self._span**2),
                rows_multiple=MATRIX_ROWS,
                num_outputs=num_outputs,
            )
        batch = tf.shape(positions)[0]
        num_classes = self._strides**2
        class_size = batch * self._part_size + MATRIX_ROWS
        taps, cells = self.first.slices(positions)
        image, cell = cells // len(self._place), cells % len(self._place)
        place = tf.gather(self._place, cell)
        kind, index = place // self._part_size, place % self._part_size
        key = kind * class_size + image * self._part_size + index
        touched = tf.math.unsorted_segment_max(tf.ones_like(key), key, num_classes * class_size)
        touched = tf.reshape(touched > 0, (num_classes, class_size))
        real = touched[:, :-MATRIX_ROWS]
        missing = MATRIX_ROWS - tf.reduce_sum(tf.cast(real, tf.int32), 1) % MATRIX_ROWS
        touched = tf.concat([real, tf.range(MATRIX_ROWS) < missing[:, None]], 1)
        count = tf.reduce_sum(tf.cast(touched, tf.int32), 1)
        kind, place = tf.unstack(tf.cast(tf.where(touched), tf.int32), axis=1)
        row = tf.math.unsorted_segment_max(  # the inverse; much faster than a cumulative sum
            tf.range(tf.size(kind)), kind * class_size + place, num_classes * class_size
        )
        image, index = place // self._part_size, place % self._part_size
        outputs = tf.gather(self._outputs, kind * self._part_size + index)
        exist = (outputs >= 0) & (image < batch)[:, None]
        outputs = tf.where(exist, outputs + image[:, None] * num_outputs, -1)
        return taps, tf.gather(row, key), count, tf.reshape(outputs, (-1,))

    def _kernel_by_class(self) -> tf.Tensor:
        """Returns [classes, channels, span * span * filters], the taps that each class meets."""
        span, strides = self._span, self._strides
        size, _, channels, filters = self.second.kernel.shape
        beyond = span * strides - size
        kernel = tf.pad(self.second.kernel, [[0, beyond], [0, beyond], [0, 0], [0, 0]])
        kernel = tf.reshape(kernel, (span, strides, span, strides, channels, filters))
        kernel = tf.transpose(kernel, (1, 3, 4, 0, 2, 5))
        return tf.reshape(kernel, (strides**2, channels, span**2 * filters))


def _windows(
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
def _sum_rows(
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
