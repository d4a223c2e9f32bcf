import functools
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import specs
from hts_tf.environments.football import super_mini_map
from hts_tf.networks import native_ops
from hts_tf.networks.sparse_convolution import SparseConv2D
from hts_tf.networks.sparse_convolution_pair import SparseConv2DPair
from tests.pixel_maps import to_dense

pytestmark = pytest.mark.usefixtures("op_determinism")

NO = specs.PixelMapSpec.NO_PIXEL
FOOTBALL = super_mini_map.spec(4)
FILTERS = (3, 5)


def map_spec(height, width, planes=(0, 0, 1), frames=2):
    return specs.PixelMapSpec(
        shape=(frames, len(planes)), dtype="uint16", height=height, width=width, planes=planes
    )


class Twins:
    """Sparse convolutions (one, or a pair), and Keras' dense ones with the same random weights."""

    def __init__(self, spec, *convolutions):
        self.spec = spec
        self.dense = [
            keras.layers.Conv2D(filters, *convolution)
            for filters, convolution in zip(FILTERS, convolutions, strict=False)
        ]
        self.sparse = SparseConv2D(spec, FILTERS[0], *convolutions[0], kernel_initializer="zeros")
        if len(convolutions) == 2:
            self.sparse = SparseConv2DPair(
                self.sparse, keras.layers.Conv2D(FILTERS[1], *convolutions[1])
            )
        self.sparse.build((None, *spec.shape))
        self._run_dense(np.zeros((1, *spec.dense_shape), np.float32))
        random = np.random.default_rng(len(convolutions))
        for sparse, dense in zip(self.sparse.variables, self.dense_variables(), strict=True):
            weights = random.normal(size=dense.shape).astype(np.float32)
            sparse.assign(weights)
            dense.assign(weights)

    def dense_variables(self):
        return [variable for layer in self.dense for variable in layer.variables]

    def check(self, maps):
        """Compares outputs, and the gradients of a random function of the outputs.

        With our own operations and with TensorFlow's: these two must agree to the bit.
        """
        assert native_ops.load(), "compile them: python -m hts_tf.networks.native_ops"
        images = np.stack([to_dense(self.spec, encoded) for encoded in maps])
        dense = self._differentiate(self._run_dense, images, self.dense_variables())
        native_output, native_gradients = self._check(maps, *dense)
        with mock.patch.object(native_ops, "load", lambda: None):
            output, gradients = self._check(maps, *dense)
        for native, other in zip(
            [native_output, *native_gradients], [output, *gradients], strict=True
        ):
            assert np.asarray(native).tobytes() == np.asarray(other).tobytes()
        return output

    def _check(self, maps, dense_output, dense_gradients):
        sparse_output, sparse_gradients = self._differentiate(
            self.sparse, maps, self.sparse.variables
        )
        assert sparse_output.shape == dense_output.shape
        np.testing.assert_allclose(sparse_output, dense_output, rtol=1e-4, atol=1e-4)
        for sparse, dense in zip(sparse_gradients, dense_gradients, strict=True):
            np.testing.assert_allclose(sparse, dense, rtol=1e-4, atol=1e-3)
        return sparse_output, sparse_gradients

    def _run_dense(self, images):
        for layer in self.dense[:-1]:
            images = tf.nn.relu(layer(images))
        return self.dense[-1](images)

    @staticmethod
    def _differentiate(function, observation, variables):
        with tf.GradientTape() as tape:
            output = function(observation)
            weights = np.random.default_rng(0).normal(size=output.shape).astype(np.float32)
            loss = tf.reduce_sum(output * weights)
        return output.numpy(), [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]


# (height, width, kernel size, strides); in the last ones, the last pixels lie in no full window.
GEOMETRIES = [
    (6, 7, 3, 1),
    (8, 8, 4, 2),
    (7, 9, 5, 2),
    (8, 12, 8, 4),
    (6, 6, 2, 2),
    (5, 5, 1, 1),
    (9, 10, 4, 3),
    (10, 11, 4, 4),
    (8, 9, 2, 3),
]


# As above, of the second convolution of a pair; the first is that of the geometry.
SECOND = [(1, 1), (2, 1), (3, 2), (4, 2), (2, 3)]


@functools.cache
def twins(index, second=None):
    height, width, kernel_size, strides = GEOMETRIES[index]
    convolutions = [(kernel_size, strides), *([] if second is None else [second])]
    return Twins(map_spec(height, width), *convolutions)


def fits(index, second):
    height, width, kernel_size, strides = GEOMETRIES[index]
    return min((size - kernel_size) // strides + 1 for size in (height, width)) >= second[0]


@st.composite
def batches(draw, spec):
    """Batches of maps in which no plane holds a pixel twice."""
    last = spec.height * spec.width - 1
    pixel = st.just(NO) | st.sampled_from([0, spec.width - 1, last]) | st.integers(0, last)

    def distinct(frame):
        return all(
            p == NO or (plane, p) not in list(zip(spec.planes, frame, strict=True))[:column]
            for column, (plane, p) in enumerate(zip(spec.planes, frame, strict=True))
        )

    frame = st.lists(pixel, min_size=len(spec.planes), max_size=len(spec.planes)).filter(distinct)
    observation = st.lists(frame, min_size=spec.frames, max_size=spec.frames)
    return np.array(draw(st.lists(observation, min_size=1, max_size=3)), np.uint16)


CASES = [(index, None) for index in range(len(GEOMETRIES))] + [
    (index, second) for index in range(len(GEOMETRIES)) for second in SECOND if fits(index, second)
]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(CASES))
def test_same_function_as_conv2d(data, case):
    pair = twins(*case)
    pair.check(data.draw(batches(pair.spec)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_pixel(case):
    """Each pixel alone, in one batch."""
    pair = twins(*case)
    count = pair.spec.height * pair.spec.width
    maps = np.full((count, *pair.spec.shape), NO, np.uint16)
    maps[:, 1, 2] = np.arange(count)
    pair.check(maps)


def test_an_empty_image_gives_the_bias():
    pair = twins(0)
    output = pair.check(np.full((2, *pair.spec.shape), NO, np.uint16))
    np.testing.assert_array_equal(output, np.broadcast_to(pair.sparse.bias, output.shape))


def test_empty_images_give_a_pair_s_constant():
    pair = twins(0, (3, 2))
    output = pair.check(np.full((2, *pair.spec.shape), NO, np.uint16))
    np.testing.assert_array_equal(output, np.broadcast_to(output[0, 0, 0], output.shape))


@pytest.mark.parametrize("convolutions", [[(8, 4)], [(8, 4), (4, 2)]])
def test_football_maps(convolutions):
    pair = Twins(FOOTBALL, *convolutions)
    random = np.random.default_rng(0)
    maps = np.stack(
        [
            [random.permutation(72 * 96)[:24] for _ in range(4)]  # distinct also within planes
            for _ in range(3)
        ]
    ).astype(np.uint16)
    maps[0, 0, 5:] = NO
    maps[1, :, 3:] = NO
    pair.check(maps)


@pytest.mark.parametrize("second", [None, (4, 2)])
def test_the_weights_are_those_of_conv2d(second):
    pair = twins(3 if second is None else 0, second)
    assert [w.shape for w in pair.sparse.weights] == [w.shape for w in pair.dense_variables()]
    assert [w.name for w in pair.sparse.weights] == [w.name for w in pair.dense_variables()]


@pytest.mark.parametrize("second", [None, (3, 2)])
@given(data=st.data())
@settings(max_examples=10)
def test_images_instead_of_positions(second, data):
    pair = twins(0, second)
    maps = data.draw(batches(pair.spec))
    images = np.stack([to_dense(pair.spec, positions) for positions in maps])
    np.testing.assert_allclose(pair.sparse(images), pair.sparse(maps), rtol=1e-4, atol=1e-4)
    for image, positions in zip(images, maps, strict=True):
        found = pair.spec.from_image(image)
        np.testing.assert_array_equal(to_dense(pair.spec, found), image)
        assert (found == NO).sum() == (positions == NO).sum()
