import dataclasses
import functools
import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, rollouts, specs, trees
from hts_tf.environments.football import super_mini_map
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.initialisation import Seeds
from tests.pixel_maps import to_dense

pytestmark = pytest.mark.usefixtures("op_determinism")

FOOTBALL = specs.EnvironmentSpec(
    observation=super_mini_map.spec(4),
    action=specs.DiscreteSpec(num_values=19),
    max_episode_steps=400,
)
VECTOR = specs.EnvironmentSpec(
    observation=specs.ArraySpec((5,), "float32"),
    action=specs.DiscreteSpec(num_values=3),
    max_episode_steps=10,
)
DICT = dataclasses.replace(
    VECTOR,
    observation={
        "map": specs.ArraySpec((2, 3), "uint8", scale=1 / 255),
        "facts": specs.ArraySpec((4,), "float32", scale=3.0),
    },
)
SMALL_MLP = functools.partial(torsos.mlp, units=(8, 6))


def example(spec, leading):
    """Random observations of so many."""
    random = np.random.default_rng(0)
    return trees.map(
        lambda s: random.uniform(0, 200, (*leading, *s.shape)).astype(s.dtype), spec.observation
    )


def test_a_policy_is_not_shown_what_only_the_critic_sees():
    """Also where nothing else is there."""
    observation = {
        specs.ACTION_MASK: specs.ArraySpec((3,), "bool"),
        specs.CRITIC_STATE: specs.ArraySpec((5,), "float32"),
    }
    spec = dataclasses.replace(VECTOR, observation=observation)
    with pytest.raises(errors.ConfigError, match="has nothing in it to be seen"):
        ActorCritic(spec, 1, SMALL_MLP)


def assert_close(actual, expected, **tolerance):
    for a, b in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_keras_has_nothing_to_complain_of(precision):
    """A Gaussian's deviations stay as precise as its means while its layers are built, too."""
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        spec = dataclasses.replace(DICT, action=specs.BoxSpec((2,), low=(-1, -1), high=(1, 1)))
        policy, value = ActorCritic(spec, 0)(example(spec, (3,)))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert {array.dtype for array in (*policy.values(), value)} == {tf.float32}


def test_football_network_is_the_nature_cnn():
    agent = ActorCritic(FOOTBALL, 0, torsos.nature_cnn)
    rows, columns = 5, 8  # what three convolutions leave of 72 x 96
    assert agent.count_params() == sum(
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
    spec = dataclasses.replace(FOOTBALL, observation=image)
    of_images = ActorCritic(spec, seed=3, torso=torsos.nature_cnn)
    of_maps = ActorCritic(FOOTBALL, seed=3, torso=torsos.nature_cnn)
    assert of_maps.parameters_hash() == of_images.parameters_hash()
    random = np.random.default_rng(0)
    maps = np.stack([[random.permutation(72 * 96)[:24] for _ in range(4)]]).astype(np.uint16)
    dense = np.stack([to_dense(FOOTBALL.observation, encoded) for encoded in maps])
    assert_close(of_maps(maps), of_images(dense), rtol=1e-4, atol=1e-5)


def make(seed=0):
    return ActorCritic(VECTOR, seed, SMALL_MLP)


def test_shapes_and_types():
    policy, value = make()(np.zeros((7, 5), np.float32))
    assert list(policy) == ["logits"]
    assert policy["logits"].shape == (7, 3)
    assert value.shape == (7,)
    assert policy["logits"].dtype == value.dtype == tf.float32


@pytest.mark.parametrize("leading", [(7,), (4, 3), (2, 3, 2)])
@pytest.mark.parametrize("spec", [VECTOR, DICT], ids=["array", "dict"])
def test_evaluates_rollouts_of_any_shape(spec, leading):
    """Also in a graph that does not know it."""
    agent = ActorCritic(spec, 0, SMALL_MLP)
    observation = trees.map(tf.constant, example(spec, leading))
    signature = trees.map(
        lambda x, s: tf.TensorSpec([None] * len(leading) + list(s.shape), x.dtype),
        observation,
        spec.observation,
    )

    @tf.function(autograph=False, input_signature=[signature])
    def in_a_graph(observation):
        return agent.evaluate(rollouts.Rollout(observation=observation))

    rows = trees.map(lambda x, s: tf.reshape(x, (-1, *s.shape)), observation, spec.observation)
    expected = trees.map(lambda x: tf.reshape(x, (*leading, *x.shape[1:])), agent(rows))
    assert_close(agent.evaluate(rollouts.Rollout(observation=observation)), expected, rtol=1e-5)
    assert_close(in_a_graph(observation), expected, rtol=1e-5)


def test_a_step_is_what_the_environment_and_the_head_say():
    step = ActorCritic(DICT, 0, SMALL_MLP).step
    assert step == rollouts.step_spec(DICT, {"logits": specs.ArraySpec((3,), "float32")})


def test_dicts_of_arrays():
    agent = ActorCritic(DICT, 0, SMALL_MLP)
    assert agent.trainable_variables[0].shape == (2 * 3 + 4, 8)
    policy, value = agent(example(DICT, (7,)))
    assert policy["logits"].shape == (7, 3)
    assert value.shape == (7,)


def test_every_array_of_a_dict_is_scaled_as_its_spec_says():
    unscaled = trees.map(lambda s: specs.ArraySpec(s.shape, "float32"), DICT.observation)
    of_floats = ActorCritic(dataclasses.replace(DICT, observation=unscaled), 0, SMALL_MLP)
    observation = example(DICT, (7,))
    floats = trees.map(lambda x, s: np.float32(x * s.scale), observation, DICT.observation)
    actual = ActorCritic(DICT, 0, SMALL_MLP)(observation)
    assert_close(actual, of_floats(floats), rtol=1e-4, atol=1e-5)


def test_the_order_of_a_dict_does_not_matter():
    observation = example(DICT, (7,))
    backwards = dict(reversed(DICT.observation.items()))
    other = ActorCritic(dataclasses.replace(DICT, observation=backwards), 0, SMALL_MLP)
    agent = ActorCritic(DICT, 0, SMALL_MLP)
    assert_close(agent(observation), other(dict(reversed(observation.items()))), rtol=1e-6)


def test_nature_cnn_refuses_a_dict():
    with pytest.raises(errors.ConfigError, match=r"the torso @nature_cnn .*map, facts"):
        ActorCritic(DICT, 0, torsos.nature_cnn)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10, 10, 4), "the kernel of number 2 is 4 wide, but what it gets is only 1 wide"),
        ((84, 35, 4), "the kernel of number 3 is 3 wide, but what it gets is only 2 wide"),
        ((84, 84), r"is for an image, not for an array \(84, 84\): bind another"),
        ((), r"not for an array \(\)"),
    ],
)
def test_nature_cnn_refuses_what_is_too_small(shape, message):
    with pytest.raises(errors.ConfigError, match=message):
        torsos.nature_cnn(specs.ArraySpec(shape, "bool"), Seeds(0))


@pytest.mark.parametrize("shape", [(), (10, 10, 4)])
@pytest.mark.parametrize("dtype", ["bool", "int64", "float64", "uint8"])
def test_mlp_takes_arrays_of_any_kind(shape, dtype):
    spec = dataclasses.replace(VECTOR, observation=specs.ArraySpec(shape, dtype))
    policy, value = ActorCritic(spec, 0, SMALL_MLP)(example(spec, (2,)))
    assert policy["logits"].shape == (2, 3)
    assert value.shape == (2,)


def test_more_actions_than_a_byte_counts():
    spec = dataclasses.replace(VECTOR, action=specs.DiscreteSpec(num_values=300))
    agent = ActorCritic(spec, 0, SMALL_MLP)
    noise = np.zeros((2, 300), np.float32)
    noise[0, 299] = noise[1, 255] = 1e6
    action = agent.act(example(spec, (2,)), (), noise).action
    assert action.numpy().tolist() == [299, 255]
    assert action.dtype == agent.step.action.dtype == "uint16"


def test_seed_decides_the_weights():
    assert make(3).parameters_hash() == make(3).parameters_hash()
    assert make(3).parameters_hash() != make(4).parameters_hash()


def test_the_seed_also_decides_of_initialisers_without_one():
    def torso(spec, seeds):
        kernel = keras.initializers.HeNormal()
        return [
            torsos.ToFloat(spec),
            keras.layers.Dense(8),
            keras.layers.Dense(8, None, True, kernel),
        ]

    random.seed(5)
    begun = [ActorCritic(VECTOR, seed, torso).parameters_hash() for seed in (3, 3, 4)]
    assert begun[0] == begun[1] != begun[2]
    assert random.random() == random.Random(5).random()  # who calls from Python has its own


def test_no_two_layers_start_alike():
    agent = ActorCritic(VECTOR, 0, functools.partial(torsos.mlp, units=(5, 5)))
    kernels = [v.numpy() for v in agent.trainable_variables if v.shape == (5, 5)]
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
    def agent_for(spec):
        return ActorCritic(dataclasses.replace(VECTOR, observation=spec), 0, SMALL_MLP)

    pixels = np.array([[0, 51, 102, 255, 7]], np.uint8)
    scaled = agent_for(specs.ArraySpec((5,), "uint8", scale=1 / 255))(pixels)
    floats = agent_for(specs.ArraySpec((5,), "float32"))(pixels.astype(np.float32) / 255)
    assert_close(scaled, floats, rtol=1e-5)


def test_a_torso_for_the_value_alone():
    shared = make()
    agent = ActorCritic(VECTOR, 0, SMALL_MLP, value_torso=functools.partial(torsos.mlp, units=(7,)))
    observation = example(VECTOR, (4,))
    policy, value = agent(observation)
    assert_close(policy, shared(observation)[0], rtol=1e-6)  # it is built with the same seeds
    assert np.abs(value - shared(observation)[1]).max() > 0.1
    with tf.GradientTape(persistent=True) as tape:
        policy, value = agent(observation)
        losses = [tf.reduce_sum(tf.square(policy["logits"])), tf.reduce_sum(tf.square(value))]
    of_policy, of_value = (tape.gradient(loss, agent.trainable_variables) for loss in losses)
    trained_by = [(p is not None, v is not None) for p, v in zip(of_policy, of_value, strict=True)]
    assert trained_by.count((True, False)) == 6  # two layers, and the head
    assert trained_by.count((False, True)) == 4


def test_what_is_not_bound_is_chosen():
    spec = {"light": specs.ArraySpec((5,), "float32"), "mask": specs.ArraySpec((3,), "bool")}
    spec[specs.ACTION_MASK] = spec.pop("mask")
    agent = ActorCritic(dataclasses.replace(VECTOR, observation=spec), 0)
    assert agent.trainable_variables[0].shape == (5, 64)
    same = ActorCritic(VECTOR, 0, torsos.mlp)
    assert agent.parameters_hash() == same.parameters_hash()
    light, mask = np.ones((2, 5), np.float32), np.ones((2, 3), bool)
    assert_close(agent({"light": light, specs.ACTION_MASK: mask}), same(light), rtol=1e-6)


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
    agent = make()
    before = agent.parameters_hash()
    variable = agent.variables[index]
    value = variable.numpy()
    value.flat[-1] = np.nextafter(value.flat[-1], np.float32(np.inf))
    variable.assign(value)
    assert agent.parameters_hash() != before


def test_a_torso_may_be_a_model():
    def torso(spec, seeds):
        return keras.Sequential([keras.layers.Dense(4)])

    policy, value = ActorCritic(VECTOR, 0, torso)(np.zeros((3, 5), np.float32))
    assert policy["logits"].shape == (3, 3)
    assert value.shape == (3,)


IMAGE = dataclasses.replace(VECTOR, observation=specs.ArraySpec((4, 4, 1), "float32"))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (lambda: keras.layers.Conv2D(2, 3), r"network's policy/logits, for two observations, must"),
        (lambda: keras.layers.Dropout(0.1), "network's Dropout: it would have no effect, as lay"),
        (lambda: keras.layers.GaussianNoise(0.1), "network's GaussianNoise: it would have no eff"),
        (keras.layers.BatchNormalization, "network's BatchNormalization: its statistics would nev"),
        (
            lambda: keras.layers.Dense(2, activity_regularizer="l2"),
            "network's Dense: its activity_regularizer would have no effect",
        ),
        (
            lambda: keras.layers.Dense(2, kernel_regularizer="l2"),
            "the regularizer of .*kernel would have no effect: only the algorithm's loss has",
        ),
    ],
)
def test_a_torso_that_would_not_do_what_it_is_meant_to(layer, says):
    def torso(spec, seeds):
        flat = [] if isinstance(layer(), keras.layers.Conv2D) else [keras.layers.Flatten()]
        return [*flat, layer()]

    with pytest.raises(errors.ConfigError, match=says):
        ActorCritic(IMAGE, 0, torso)


def test_layers_that_are_alike_in_training_and_play():
    def torso(spec, seeds):
        frozen = keras.layers.BatchNormalization(trainable=False)
        return [keras.layers.Flatten(), keras.layers.Dropout(0.0), frozen]

    ActorCritic(IMAGE, 0, torso)
