import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import errors, specs
from hts_tf.networks import torsos
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.torsos import ToFloat

pytestmark = pytest.mark.usefixtures("op_determinism")

MINATAR = specs.ArraySpec((10, 10, 4), "bool")


def through(layers, x):
    for layer in layers:
        x = layer(x)
    return x.numpy()


def num_parameters(layers):
    return sum(math.prod(v.shape) for layer in layers for v in layer.variables)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.data())
def test_several_choices_are_one_hot_vectors_one_after_another(num_values, data):
    spec = specs.MultiDiscreteSpec(num_values=tuple(num_values))
    rows = [[data.draw(st.integers(0, n - 1)) for n in num_values] for _ in range(3)]
    expected = [
        np.concatenate([np.eye(n)[v] for n, v in zip(num_values, row, strict=True)]) for row in rows
    ]
    np.testing.assert_array_equal(ToFloat(spec)(np.array(rows, spec.dtype)), expected)


def test_a_choice_is_a_one_hot_vector():
    spec = specs.DiscreteSpec(num_values=300)
    shown = ToFloat(spec)(np.array([0, 299], "uint16"))
    np.testing.assert_array_equal(shown, np.eye(300)[[0, 299]])
    assert shown.dtype == "float32"


def test_choices_of_any_shape():
    board = specs.DiscreteSpec((2, 2), num_values=3)
    shown = ToFloat(board)(np.array([[[0, 1], [2, 1]]], "uint8"))
    np.testing.assert_array_equal(shown, [np.eye(3)[[0, 1, 2, 1]].reshape(-1)])
    several = specs.MultiDiscreteSpec((2, 1), num_values=(2, 3))
    shown = ToFloat(several)(np.array([[[1], [2]]], "uint8"))
    np.testing.assert_array_equal(shown, [[0, 1, 0, 0, 1]])


def test_the_mlp_has_an_input_for_every_value():
    spec = {"a": specs.DiscreteSpec(num_values=5), "b": specs.ArraySpec((2,), "float32")}
    layers = torsos.mlp(spec, Seeds(0), units=(3,))
    made = through(layers, {"a": np.array([1, 4], "uint8"), "b": np.zeros((2, 2), "f")})
    assert made.shape == (2, 3)
    assert num_parameters(layers) == (5 + 2 + 1) * 3


def test_the_mlp_can_be_of_tanh():
    spec = specs.ArraySpec((4,), "float32")
    x = np.random.default_rng(0).normal(0, 3, (9, 4)).astype("f")
    layers = torsos.mlp(spec, Seeds(0), units=(5,), activation="tanh")
    made = through(layers, x)
    kernel = layers[-1].kernel.numpy()
    np.testing.assert_allclose(made, np.tanh(x @ kernel), rtol=1e-5, atol=1e-6)
    of_relu = torsos.mlp(spec, Seeds(0), units=(5,))
    np.testing.assert_allclose(through(of_relu, x), np.maximum(x @ kernel, 0), rtol=1e-5, atol=1e-6)


def test_the_small_cnn_is_that_of_minatar():
    layers = torsos.small_cnn(MINATAR, Seeds(0))
    assert through(layers, np.ones((2, 10, 10, 4), bool)).shape == (2, 128)
    assert num_parameters(layers) == (3 * 3 * 4 + 1) * 16 + (8 * 8 * 16 + 1) * 128


def test_bytes_are_scaled_as_the_spec_says():
    random = np.random.default_rng(0)
    pixels = random.integers(256, size=(3, 8, 9, 2)).astype("uint8")
    of_bytes = specs.ArraySpec((8, 9, 2), "uint8", scale=1 / 255)
    of_floats = specs.ArraySpec((8, 9, 2), "float32")
    made = through(torsos.small_cnn(of_bytes, Seeds(0)), pixels)
    expected = through(torsos.small_cnn(of_floats, Seeds(0)), pixels.astype("f") / 255)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(made).max() < 20


@pytest.mark.parametrize("torso", [torsos.nature_cnn, torsos.small_cnn])
def test_stacked_frames_are_channels(torso):
    frames = np.random.default_rng(0).normal(size=(2, 4, 36, 40)).astype("f")
    last = np.moveaxis(frames, 1, -1)
    layers, expected = (
        torso(specs.ArraySpec(x.shape[1:], "float32"), Seeds(0)) for x in (frames, last)
    )
    np.testing.assert_array_equal(through(layers, frames), through(expected, last))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((84, 84, 4), (84, 84, 4)),
        ((4, 84, 84), (84, 84, 4)),
        ((7, 7, 3), (7, 7, 3)),
        ((210, 160, 3), (210, 160, 3)),
        ((3, 3, 5), (3, 3, 5)),
        ((1, 9, 1), (1, 9, 1)),
        ((84, 84), None),
        ((2, 84, 84, 3), None),
        ((), None),
    ],
)
def test_what_an_image_is(shape, expected):
    assert torsos.image_shape(specs.ArraySpec(shape, "uint8")) == expected


def test_a_board_of_choices_is_no_image():
    assert torsos.image_shape(specs.DiscreteSpec((8, 8, 3), num_values=3)) is None
    assert torsos.image_shape(specs.MultiDiscreteSpec((1, 2, 1), num_values=(2, 3))) is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (specs.ArraySpec((2, 9, 2), "bool"), "@small_cnn: the kernel .* 3 wide, .* only 2 wide"),
        (specs.ArraySpec((9,), "bool"), r"the torso @small_cnn is for an image, not .* \(9,\)"),
        ((MINATAR, {"x": MINATAR}), "the torso @small_cnn is for one image, .* of 0, 1/x: bind"),
        (specs.DiscreteSpec((4, 4, 4), num_values=2), "is for an image"),
    ],
)
def test_what_the_small_cnn_refuses(spec, message):
    with pytest.raises(errors.ConfigError, match=message):
        torsos.small_cnn(spec, Seeds(0))


@pytest.mark.parametrize("inside", [False, True])
def test_the_mlp_refuses_positions_of_pixels(inside):
    maps = specs.PixelMapSpec((1, 2), "uint16", height=4, width=5, planes=(0, 1))
    with pytest.raises(errors.ConfigError, match="@mlp is not for maps of pixels"):
        torsos.mlp({"map": maps, "x": MINATAR} if inside else maps, Seeds(0))


@pytest.mark.parametrize(
    "spec",
    [
        specs.DiscreteSpec(num_values=10**9),
        specs.DiscreteSpec((1000, 1000), num_values=5),
        specs.MultiDiscreteSpec(num_values=(3, 10**9)),
    ],
)
def test_what_is_too_long_for_a_one_hot_vector(spec):
    with pytest.raises(errors.ConfigError, match=r"would be a one-hot vector of that length"):
        torsos.mlp({"x": spec, "y": MINATAR}, Seeds(0))


@pytest.mark.parametrize("seen", [torsos.seen_by_policy, torsos.seen_by_critic])
def test_torsos_do_not_see_masks(seen):
    mask = np.ones((2, 3), bool)
    rest = {"x": 1, "y": {specs.ACTION_MASK: 2}}
    assert seen({specs.ACTION_MASK: mask, **rest}) == rest
    assert seen({specs.ACTION_MASK: mask, "x": 1}) == 1
    assert seen(mask) is mask
    assert seen((mask,)) == (mask,)
    with pytest.raises(errors.ConfigError, match="has nothing in it to be seen"):
        seen({specs.ACTION_MASK: mask})


def test_only_critics_see_their_state():
    observation = {specs.ACTION_MASK: 0, specs.CRITIC_STATE: 1, "player": 2}
    assert torsos.seen_by_policy(observation) == 2
    assert torsos.seen_by_critic(observation) == {specs.CRITIC_STATE: 1, "player": 2}
