import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors, specs
from tests.pixel_maps import to_dense

NO = specs.PixelMapSpec.NO_PIXEL
# Two frames of three pixels on a 4 x 5 image; the first two pixels share plane 0.
SPEC = specs.PixelMapSpec(shape=(2, 3), dtype="uint16", height=4, width=5, planes=(0, 0, 1))


def test_nbytes():
    assert specs.ArraySpec((3, 2), "float32").nbytes == 24
    assert specs.ArraySpec((), "uint8").nbytes == 1
    assert SPEC.nbytes == 2 * 3 * 2


def test_dense_shape_is_frame_major():
    assert SPEC.frames == 2
    assert SPEC.dense_shape == (4, 5, 4)


def test_to_dense_puts_each_pixel_on_its_plane():
    encoded = np.array([[0, 7, 19], [NO, 4, 4]], np.uint16)
    image = to_dense(SPEC, encoded)
    assert image.dtype == np.float32
    # (row, column, channel): channels 0 and 1 are the older frame's planes, 2 and 3 the newer's.
    expected = {(0, 0, 0), (1, 2, 0), (3, 4, 1), (0, 4, 2), (0, 4, 3)}
    assert set(map(tuple, np.argwhere(image == 1).tolist())) == expected
    assert image.sum() == len(expected)


def test_nothing_is_set_without_pixels():
    assert not to_dense(SPEC, np.full((2, 3), NO, np.uint16)).any()


@given(
    st.lists(
        st.lists(st.integers(0, 19) | st.just(NO), min_size=3, max_size=3), min_size=2, max_size=2
    )
)
def test_to_dense_loses_no_pixel(frames):
    expected = {
        (frame * 2 + plane, position)
        for frame, positions in enumerate(frames)
        for plane, position in zip(SPEC.planes, positions, strict=True)
        if position != NO
    }
    channels = to_dense(SPEC, np.array(frames, np.uint16)).reshape(20, 4).T
    actual = {
        (channel, position)
        for channel, position in itertools.product(range(4), range(20))
        if channels[channel, position]
    }
    assert actual == expected


def test_to_dense_refuses_another_number_of_pixels():
    with pytest.raises(ValueError, match="shorter"):
        to_dense(SPEC, np.zeros((2, 2), np.uint16))


PLAIN = specs.EnvironmentSpec(
    observation=specs.ArraySpec((4,), "float32"),
    action=specs.DiscreteSpec(num_values=3),
    max_episode_steps=10,
)


def test_discrete_actions():
    assert (PLAIN.action.shape, PLAIN.action.dtype, PLAIN.action.nbytes) == ((), "uint8", 1)
    PLAIN.action.check(np.array([0, 2, 1], np.uint8))
    PLAIN.action.check(np.array([], np.uint8))
    with pytest.raises(errors.ConfigError, match="action 3, but the environment has only 3"):
        PLAIN.action.check(np.array([0, 3, 1], np.uint8))


def test_actions_below_0():
    with pytest.raises(errors.ConfigError, match="action -1, but the environment has only 3"):
        specs.DiscreteSpec(num_values=3, dtype="int8").check(np.array([0, -1], np.int8))
    pairs = specs.MultiDiscreteSpec(num_values=(2, 4), dtype="int8")
    pairs.check(np.array([[1, 3], [0, 0]], np.int8))
    with pytest.raises(errors.ConfigError, match=r"action \[0, -2\], but .* only \[2, 4\]"):
        pairs.check(np.array([[1, 3], [0, -2]], np.int8))


@pytest.mark.parametrize(
    ("num_actions", "dtype"),
    [(1, "uint8"), (256, "uint8"), (257, "uint16"), (300, "uint16"), (2**16 + 1, "uint32")],
)
def test_every_action_has_a_number(num_actions, dtype):
    spec = specs.DiscreteSpec(num_values=num_actions)
    assert spec.dtype == dtype
    spec.check(np.array([num_actions - 1], dtype))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: specs.DiscreteSpec(num_values=300, dtype="uint8"), "300 values do not fit"),
        (lambda: specs.DiscreteSpec(num_values=3, dtype="float32"), "3 values do not fit into fl"),
        (lambda: specs.MultiDiscreteSpec(dtype="bool", num_values=(2,)), "2 values do not fit"),
        (lambda: specs.DiscreteSpec(num_values=0), "at least 1 value, not 0"),
        (lambda: specs.DiscreteSpec(num_values=2.0), "at least 1 value, not 2.0"),
        (lambda: specs.MultiDiscreteSpec(num_values=[2]), r"a tuple must say how many"),
        (lambda: specs.MultiDiscreteSpec(num_values=()), "a tuple must say how many"),
        (lambda: specs.MultiDiscreteSpec(num_values=(2, 0)), "at least 1 value, not 0"),
        (lambda: specs.MultiDiscreteSpec((3,), num_values=(2, 2)), "2 numbers are no array"),
        (lambda: specs.MultiDiscreteSpec((), "uint8", num_values=(2, 257)), "257 values do not"),
        (lambda: specs.BoxSpec((2,), low=(0.0,), high=(1.0,)), "2 lower and upper bounds"),
        (lambda: specs.BoxSpec((1,), low=(2.0,), high=(1.0,)), "must not exceed"),
        (lambda: specs.BoxSpec((1,), low=(math.nan,), high=(1.0,)), "must not exceed"),
        (lambda: box("tanh", high=math.inf), "without finite bounds"),
        (lambda: box("tanh", -3e38, 3e38), "or with such large ones, cannot be bounded by tanh"),
        (lambda: box("nonsense"), "not nonsense"),
        (lambda: specs.ArraySpec([3], "float32"), r"shape is a tuple of sizes, not \[3\]"),
        (lambda: specs.ArraySpec((3, 0), "float32"), r"shape is a tuple of sizes, not \(3, 0\)"),
        (lambda: specs.ArraySpec((3,), "object"), "not 'object'"),
        (lambda: specs.ArraySpec((3,), "complex64"), "not 'complex64'"),
        (lambda: specs.ArraySpec((3,), "nonsense"), "not 'nonsense'"),
        (lambda: environment([specs.ArraySpec((), "bool")]), r"observation is \[ArraySpec"),
        (lambda: environment({"a": specs.ArraySpec}), "observation/a is <class .*not a spec"),
        (lambda: environment(action=3), "action is 3, not a spec"),
        (lambda: environment(()), "names of their own, not no array"),
        (
            lambda: environment({"a/b": SPEC, "a": {"b": SPEC}}),
            "names of their own, not observation/a/b, observation/a/b",
        ),
        (lambda: environment(steps=0), "at least 1 env step, not 0"),
        (lambda: environment(steps=None), "at least 1 env step, not None"),
        (lambda: environment(steps=9.0), r"at least 1 env step, not 9\.0"),
    ],
)
def test_specs_of_what_cannot_be_are_refused(make, message):
    with pytest.raises(errors.ConfigError, match=message):
        make()


def environment(observation=SPEC, action=specs.DiscreteSpec(num_values=2), steps=9):  # noqa: B008
    return specs.EnvironmentSpec(observation, action, steps)


def box(bounded_by, low=-2.0, high=4.0):
    return specs.BoxSpec((2,), low=(low,) * 2, high=(high,) * 2, bounded_by=bounded_by)


def test_multi_discrete_actions():
    spec = specs.MultiDiscreteSpec(num_values=(2, 300))
    assert (spec.shape, spec.dtype) == ((2,), "uint16")
    spec.check(np.array([[1, 299], [0, 0]], np.uint16))
    spec.check(np.zeros((0, 2), np.uint16))
    with pytest.raises(errors.ConfigError, match=r"action \[2, 1\], but .* only \[2, 300\]"):
        spec.check(np.array([[1, 1], [2, 1]], np.uint16))


def test_clipped_actions():
    action = np.array([-3.0, 3.5], np.float32)
    assert box("clip").bounded(action).tolist() == [-2.0, 3.5]
    assert box("clip", high=math.inf).bounded(np.float32([9e9, 0])).tolist() == [np.float32(9e9), 0]
    assert action.tolist() == [-3.0, 3.5]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_actions_through_tanh_stay_within_bounds(number):
    bounded = box("tanh").bounded(np.float32([number, 0.0]))
    assert bounded.dtype == np.float32
    assert bounded[1] == 1.0
    assert -2.0 <= bounded[0] <= 4.0
    np.testing.assert_allclose(bounded[0], -2 + 6 * (1 + math.tanh(number)) / 2, atol=1e-5)


def test_plain_actions():
    assert type(specs.plain(np.uint8(3))) is int
    assert type(specs.plain(np.array(3, np.uint8))) is int
    array = np.zeros(2, np.float32)
    assert specs.plain(array) is array


def test_environments_of_one_player_are_given_its_action_alone():
    actions = np.array([[[1, 2]], [[3, 4]]], np.uint8)
    game = dataclasses.replace(PLAIN, action=specs.ArraySpec((2,), "float32"))
    one, two = (dataclasses.replace(game, num_players=number) for number in (1, 2))
    np.testing.assert_array_equal(one.played(actions[:1]), [[1, 2]])
    assert two.played(actions) is actions
    assert type(one.played(np.uint8([3]))) is int


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_finite(value):
    """Also what is not when it is squared; numbers of all kinds."""
    assert all(
        map(specs.all_finite, (np.float32([1, -2]), np.int64(7), np.float32([[3e38, 3e38]])))
    )
    assert not specs.all_finite(np.float32([[0, value]]))


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "f4"])
def test_a_dtype_by_another_name(dtype):
    assert specs.ArraySpec((3,), dtype) == SPEC_OF_FLOATS


SPEC_OF_FLOATS = specs.ArraySpec((3,), "float32")
