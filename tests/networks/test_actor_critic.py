import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import specs
from hts_tf.environments.football import super_mini_map
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic

pytestmark = pytest.mark.usefixtures("op_determinism")

FOOTBALL = specs.EnvironmentSpec(
    observation=super_mini_map.spec(4), num_actions=19, max_episode_steps=400
)
VECTOR = specs.EnvironmentSpec(
    observation=specs.ArraySpec((5,), "float32"), num_actions=3, max_episode_steps=10
)
SMALL_MLP = functools.partial(torsos.mlp, units=(8, 6))


def test_football_network_is_the_nature_cnn():
    network = ActorCritic(FOOTBALL, 0, torsos.nature_cnn)
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
    of_images = ActorCritic(specs.EnvironmentSpec(image, 19, 400), seed=3, torso=torsos.nature_cnn)
    of_maps = ActorCritic(FOOTBALL, seed=3, torso=torsos.nature_cnn)
    assert of_maps.parameters_hash() == of_images.parameters_hash()
    random = np.random.default_rng(0)
    maps = np.stack([[random.permutation(72 * 96)[:24] for _ in range(4)]]).astype(np.uint16)
    dense = np.stack([FOOTBALL.observation.to_dense(encoded) for encoded in maps])
    for actual, expected in zip(of_maps(maps), of_images(dense), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def make(seed=0):
    return ActorCritic(VECTOR, seed, SMALL_MLP)


def test_shapes_and_types():
    logits, value = make()(np.zeros((7, 5), np.float32))
    assert logits.shape == (7, 3)
    assert value.shape == (7,)
    assert logits.dtype == value.dtype == tf.float32


def test_seed_decides_the_weights():
    assert make(3).parameters_hash() == make(3).parameters_hash()
    assert make(3).parameters_hash() != make(4).parameters_hash()


def test_no_two_layers_start_alike():
    network = ActorCritic(VECTOR, 0, functools.partial(torsos.mlp, units=(5, 5)))
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
        return ActorCritic(specs.EnvironmentSpec(spec, 3, 10), 0, SMALL_MLP)

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
