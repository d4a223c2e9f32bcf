"""Two convolutions of sparse binary images in one, as the networks of maps begin with them."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf.networks import native_ops
from hts_tf.networks.sparse_convolution import SparseConv2D, sum_rows, windows
from hts_tf.networks.transparent import Transparent
from hts_tf.system.compute import MATRIX_ROWS


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
        outputs, _ = windows(y, x, self.output_size, size, strides)
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
        sums = sum_rows(self.first.kernel_rows(), taps, rows, tf.reduce_sum(count))
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
        sums = sum_rows(
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
