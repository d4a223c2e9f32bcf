import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import networks, specs
from hts_tf.environments import super_mini_map

pytestmark = pytest.mark.usefixtures("op_determinism")

NO = specs.PixelMapSpec.NO_PIXEL
FOOTBALL = specs.EnvironmentSpec(
    observation=super_mini_map.spec(4), num_actions=19, max_episode_steps=400
)
VECTOR = specs.EnvironmentSpec(
    observation=specs.ArraySpec((5,), "float32"), num_actions=3, max_episode_steps=10
)
SMALL_MLP = functools.partial(networks.mlp, units=(8, 6))
FILTERS = 3


def map_spec(height, width, planes=(0, 0, 1), frames=2):
    return specs.PixelMapSpec(
        shape=(frames, len(planes)), dtype="uint16", height=height, width=width, planes=planes
    )


class Pair:
    """A sparse convolution and Keras' dense one, with the same random weights."""

    def __init__(self, spec, kernel_size, strides):
        self.spec = spec
        self.sparse = networks.SparseConv2D(
            spec, FILTERS, kernel_size, strides, kernel_initializer="zeros"
        )
        self.dense = keras.layers.Conv2D(FILTERS, kernel_size, strides)
        self.sparse.build((None, *spec.shape))
        self.dense.build((None, *spec.dense_shape))
        random = np.random.default_rng(kernel_size)
        weights = [random.normal(size=w.shape).astype(np.float32) for w in self.dense.weights]
        self.dense.set_weights(weights)
        self.sparse.set_weights(weights)

    def check(self, maps):
        """Compares outputs, and the gradients of a random function of the outputs."""
        images = np.stack([self.spec.to_dense(encoded) for encoded in maps])
        (sparse_output, sparse_gradients), (dense_output, dense_gradients) = (
            self._run(self.sparse, maps),
            self._run(self.dense, images),
        )
        assert sparse_output.shape == dense_output.shape
        np.testing.assert_allclose(sparse_output, dense_output, rtol=1e-5, atol=1e-5)
        for sparse, dense in zip(sparse_gradients, dense_gradients, strict=True):
            np.testing.assert_allclose(sparse, dense, rtol=1e-4, atol=1e-4)
        return sparse_output

    @staticmethod
    def _run(layer, observation):
        with tf.GradientTape() as tape:
            output = layer(observation)
            weights = np.random.default_rng(0).normal(size=output.shape).astype(np.float32)
            loss = tf.reduce_sum(output * weights)
        variables = [layer.kernel, layer.bias]
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


@functools.cache
def pairs(index):
    height, width, kernel_size, strides = GEOMETRIES[index]
    return Pair(map_spec(height, width), kernel_size, strides)


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


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(range(len(GEOMETRIES))))
def test_sparse_convolution_is_conv2d(data, index):
    pair = pairs(index)
    pair.check(data.draw(batches(pair.spec)))


@pytest.mark.parametrize("index", range(len(GEOMETRIES)))
def test_sparse_convolution_of_every_pixel(index):
    """Each pixel alone, in one batch."""
    pair = pairs(index)
    count = pair.spec.height * pair.spec.width
    maps = np.full((count, *pair.spec.shape), NO, np.uint16)
    maps[:, 1, 2] = np.arange(count)
    pair.check(maps)


def test_an_empty_image_gives_the_bias():
    pair = pairs(0)
    output = pair.check(np.full((2, *pair.spec.shape), NO, np.uint16))
    np.testing.assert_array_equal(output, np.broadcast_to(pair.sparse.bias, output.shape))


def test_sparse_convolution_of_football_maps():
    pair = Pair(FOOTBALL.observation, 8, 4)
    random = np.random.default_rng(0)
    maps = np.stack(
        [
            [random.permutation(72 * 96)[:24] for _ in range(4)]  # distinct also within planes
            for _ in range(3)
        ]
    ).astype(np.uint16)
    maps[0, 0, 5:] = NO
    pair.check(maps)


def test_sparse_convolution_has_the_weights_of_conv2d():
    pair = pairs(3)
    assert [w.shape for w in pair.sparse.weights] == [w.shape for w in pair.dense.weights]
    assert [w.name for w in pair.sparse.weights] == [w.name for w in pair.dense.weights]


def test_football_network_is_the_nature_cnn():
    network = networks.ActorCritic(FOOTBALL, 0, networks.nature_cnn)
    rows, columns = 5, 8  # what three convolutions leave of 72 x 96
    assert network.count_params() == sum(
        [
            (8 * 8 * 16 + 1) * 32,
            (4 * 4 * 32 + 1) * 64,
            (3 * 3 * 64 + 1) * 64,
            (rows * columns * 64 + 1) * 512,
            (512 + 1) * 19,
            512 + 1,
        ]
    )


def test_pixel_maps_and_images_are_the_same_to_the_nature_cnn():
    image = specs.ArraySpec(FOOTBALL.observation.dense_shape, "float32")
    of_images = networks.ActorCritic(
        specs.EnvironmentSpec(image, 19, 400), seed=3, torso=networks.nature_cnn
    )
    of_maps = networks.ActorCritic(FOOTBALL, seed=3, torso=networks.nature_cnn)
    assert of_maps.parameters_hash() == of_images.parameters_hash()
    random = np.random.default_rng(0)
    maps = np.stack([[random.permutation(72 * 96)[:24] for _ in range(4)]]).astype(np.uint16)
    dense = np.stack([FOOTBALL.observation.to_dense(encoded) for encoded in maps])
    for actual, expected in zip(of_maps(maps), of_images(dense), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def make(seed=0):
    return networks.ActorCritic(VECTOR, seed, SMALL_MLP)


def test_shapes_and_types():
    logits, value = make()(np.zeros((7, 5), np.float32))
    assert logits.shape == (7, 3)
    assert value.shape == (7,)
    assert logits.dtype == value.dtype == tf.float32


def test_seed_decides_the_weights():
    assert make(3).parameters_hash() == make(3).parameters_hash()
    assert make(3).parameters_hash() != make(4).parameters_hash()


def test_no_two_layers_start_alike():
    network = networks.ActorCritic(VECTOR, 0, functools.partial(networks.mlp, units=(5, 5)))
    kernels = [v.numpy() for v in network.trainable_variables if v.shape == (5, 5)]
    assert len(kernels) == 2
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_initialisation_is_orthogonal_with_the_gain_of_each_head():
    variables = make().trainable_variables
    kernels = [v.numpy() for v in variables if len(v.shape) == 2]
    biases = [v.numpy() for v in variables if len(v.shape) == 1]
    assert [k.shape for k in kernels] == [(5, 8), (8, 6), (6, 3), (6, 1)]
    for kernel, gain in zip(kernels, [math.sqrt(2), math.sqrt(2), 0.01, 1.0], strict=True):
        singular_values = np.linalg.svd(kernel, compute_uv=False)
        np.testing.assert_allclose(singular_values, gain, rtol=1e-4)
    assert not any(bias.any() for bias in biases)


def test_observations_are_scaled_as_their_spec_says():
    def network(spec):
        return networks.ActorCritic(specs.EnvironmentSpec(spec, 3, 10), 0, SMALL_MLP)

    pixels = np.array([[0, 51, 102, 255, 7]], np.uint8)
    scaled = network(specs.ArraySpec((5,), "uint8", scale=1 / 255))(pixels)
    floats = network(specs.ArraySpec((5,), "float32"))(pixels.astype(np.float32) / 255)
    for actual, expected in zip(scaled, floats, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_copy_from_copies_once():
    source, target = make(1), make(2)
    target.copy_from(source)
    assert target.parameters_hash() == source.parameters_hash()
    copied = target.parameters_hash()
    source.trainable_variables[0].assign_add(tf.ones((5, 8)))
    assert target.parameters_hash() == copied
    target.copy_from(source)
    assert target.parameters_hash() == source.parameters_hash() != copied


@pytest.mark.parametrize("index", range(8))
def test_hash_sees_every_variable(index):
    network = make()
    before = network.parameters_hash()
    variable = network.variables[index]
    value = variable.numpy()
    value.flat[-1] = np.nextafter(value.flat[-1], np.float32(np.inf))
    variable.assign(value)
    assert network.parameters_hash() != before
