import re

import numpy as np
import pytest
from gymnasium import spaces as theirs
from hypothesis import example, given
from hypothesis import strategies as st

from hts_tf import errors, specs, trees
from hts_tf.environments.gymnasiums import spaces
from hts_tf.networks import torsos

shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)
seeds = st.integers(0, 2**31 - 1)
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


@st.composite
def boxes(draw, dtypes):
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(shapes)
    if dtype.kind == "b":
        return theirs.Box(0, 1, shape, dtype)
    low = draw(st.sampled_from([0, 2]) if dtype.kind == "u" else st.sampled_from([-7, 0, 2]))
    high = low + draw(st.integers(0, 100))
    if dtype == np.uint8 and draw(st.booleans()):
        low, high = 0, 255
    if dtype.kind == "f":
        low = draw(st.sampled_from([-np.inf, low]))
        high = draw(st.sampled_from([np.inf, high]))
    return theirs.Box(low, high, shape, dtype)


discretes = st.builds(lambda n, start: theirs.Discrete(n, start=start), st.integers(1, 300), seeds)
multi_binaries = shapes.filter(len).map(theirs.MultiBinary)


@st.composite
def multi_discretes(draw):
    shape = draw(shapes.filter(len))
    numbers = np.random.default_rng(draw(seeds)).integers(1, 300, shape)
    start = np.random.default_rng(draw(seeds)).integers(-300, 300, shape)
    return theirs.MultiDiscrete(numbers, start=start)


flat = st.one_of(boxes([*FLOATS, *INTEGERS, "bool"]), discretes, multi_binaries, multi_discretes())
keys = st.one_of(st.text(min_size=1, max_size=3), st.integers(0, 9))
nested = st.recursive(
    flat,
    lambda inner: st.one_of(
        st.dictionaries(keys, inner, min_size=1, max_size=3).map(
            lambda parts: theirs.Dict(dict(parts.items()))
        ),
        st.lists(inner, min_size=1, max_size=3).map(theirs.Tuple),
    ),
    max_leaves=5,
)
actions = st.one_of(boxes(FLOATS), discretes, multi_binaries, multi_discretes())


def arrays(spec):
    return trees.map(lambda leaf: np.full(leaf.shape, 77).astype(leaf.dtype), spec)


def restored(space, stored):
    """Makes of what was written, by itself, what the space had shown."""
    match space:
        case theirs.Dict():
            return {
                key: restored(part, array)
                for (key, part), array in zip(space.items(), stored.values(), strict=True)
            }
        case theirs.Tuple():
            return tuple(restored(part, array) for part, array in zip(space, stored, strict=True))
        case theirs.Discrete() | theirs.MultiDiscrete():
            return stored.astype(np.int64) + space.start
        case theirs.Box(shape=(channels, height, width)) if channels < min(height, width):
            return np.moveaxis(stored, -1, 0)
        case theirs.Box(shape=(frames, height, width, channels)) if channels < min(height, width):
            upright = upright_of(stored, height, width)
            return np.moveaxis(upright.reshape(height, width, frames, channels), 2, 0)
        case theirs.Box(shape=(frames, channels, height, width)) if channels < min(height, width):
            upright = upright_of(stored, height, width)
            return np.moveaxis(upright.reshape(height, width, frames, channels), (2, 3), (0, 1))
    return stored.reshape(space.shape)


def upright_of(stored, height, width):
    """Stored on its side is what would be taken for one with its channels first."""
    return stored.swapaxes(0, 1) if height < min(width, stored.shape[2]) else stored


def assert_same(actual, expected):
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            assert_same(actual[key], expected[key])
    elif isinstance(expected, tuple):
        for pair in zip(actual, expected, strict=True):
            assert_same(*pair)
    else:
        np.testing.assert_array_equal(actual, expected)


@given(nested, seeds)
@example(theirs.Box(-7, -6, (3, 1, 2, 3), np.int8), 0)
@example(theirs.Box(-7, -6, (3, 2, 3, 1), np.int8), 0)
def test_what_is_written_is_what_was_shown(space, seed):
    try:
        observed = spaces.observed(space)
    except errors.ConfigError as error:
        assert "that needs another name" in str(error)  # such as of 'a b' beside 'a/b'
        return
    space.seed(seed)
    stored = arrays(observed.spec)
    for _ in range(3):
        shown = space.sample()
        observed.write(shown, stored)
        assert_same(restored(space, stored), shown)
    for name, leaf in trees.named(observed.spec, "observation"):
        assert isinstance(leaf, specs.ArraySpec)
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)*", name)


@given(actions, seeds, st.floats(-1e6, 1e6, width=32))
def test_what_is_played_is_in_the_space(space, seed, number):
    spec, action = spaces.played(space, "clip")
    random = np.random.default_rng(seed)
    for _ in range(3):
        if isinstance(spec, specs.DiscreteSpec):
            chosen = int(random.integers(spec.num_values))
            assert action(chosen) == space.start + chosen
        elif isinstance(spec, specs.MultiDiscreteSpec):
            chosen = random.integers(spec.num_values).reshape(spec.shape).astype(spec.dtype)
            np.testing.assert_array_equal(action(chosen), space.start + chosen)
        elif isinstance(spec, specs.BoxSpec):
            drawn = random.normal(number, 10, spec.shape).astype(np.float32)
            chosen = specs.plain(spec.bounded(drawn))
        else:
            chosen = random.integers(0, 2, spec.shape).astype(bool)
        played = action(chosen)
        assert space.contains(played), (played, space)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2, unique=True).map(sorted), seeds)
def test_tanh_keeps_within_bounds_of_any_precision(bounds, seed):
    for dtype in FLOATS:
        space = theirs.Box(*bounds, (3,), np.dtype(dtype))
        spec, action = spaces.played(space, "tanh")
        for scale in (0.1, 1, 1e6):
            drawn = np.random.default_rng(seed).normal(0, scale, 3).astype(np.float32)
            assert space.contains(action(spec.bounded(drawn)))


def test_actions_are_copies():
    """They may lie in shared memory, where an environment must not write."""
    for space in (theirs.Box(-1, 1, (2,)), theirs.MultiBinary(2), theirs.MultiDiscrete([3, 3])):
        spec, action = spaces.played(space, "clip")
        chosen = np.zeros(2, spec.dtype)
        action(chosen)[...] = 1
        assert not chosen.any()


@pytest.mark.parametrize(
    ("shape", "stored"),
    [
        ((84, 84), (84, 84, 1)),
        ((210, 160), (210, 160, 1)),
        ((84, 84, 1), (84, 84, 1)),
        ((210, 160, 3), (210, 160, 3)),
        ((7, 7, 3), (7, 7, 3)),
        ((4, 84, 84), (84, 84, 4)),
        ((3, 64, 96), (64, 96, 3)),
        ((4, 210, 160, 3), (210, 160, 12)),
        ((4, 84, 84, 1), (84, 84, 4)),
        ((4, 3, 84, 84), (84, 84, 12)),
        ((128,), (128,)),
        ((3, 3, 3), (3, 3, 3)),
    ],
)
def test_images_are_stored_with_channels_last(shape, stored):
    spec, _ = spaces.observed(theirs.Box(0, 255, shape, np.uint8))
    assert spec == specs.ArraySpec(stored, "uint8", 1 / 255)


def test_frames_in_colour_lie_side_by_side():
    spec, write = spaces.observed(theirs.Box(0, 255, (2, 8, 9, 3), np.uint8))
    shown = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3), np.uint8)
    stored = np.zeros(spec.shape, np.uint8)
    write(shown, stored)
    np.testing.assert_array_equal(stored, np.concatenate(shown, axis=-1))


@pytest.mark.parametrize("shape", [(4, 3, 10, 12), (4, 8, 9, 6), (4, 5, 7, 3), (4, 36, 40, 12)])
def test_frames_that_have_more_channels_than_rows_are_still_read_as_images(shape):
    spec, write = spaces.observed(theirs.Box(0, 255, shape, np.uint8))
    frames, *image = shape
    rows, columns, colours = image if image[2] < image[0] else (*image[1:], image[0])
    assert torsos.image_shape(spec) == (columns, rows, frames * colours)
    shown = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    stored = np.zeros(spec.shape, np.uint8)
    write(shown, stored)
    in_order = shown if image[2] < image[0] else shown.transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(stored.swapaxes(0, 1), np.concatenate(in_order, axis=-1))


def test_only_bytes_up_to_255_are_scaled():
    for space in (
        theirs.Box(0, 254, (4,), np.uint8),
        theirs.Box(0, 255, (4,), np.int16),
        theirs.Box(0, 255, (4,), np.float32),
    ):
        assert spaces.observed(space)[0].scale == 1


@pytest.mark.parametrize(
    ("space", "shown", "fault"),
    [
        (theirs.Box(0, 1, (4,)), np.zeros(1, np.float32), r"float32 \(1,\) where its space"),
        (theirs.Box(0, 1, (4,)), np.zeros((1, 4)), r"\(1, 4\)"),
        (theirs.Box(0, 1, (2,)), ["a", "b"], "where its space"),
        (theirs.Box(0, 1, (2,)), None, "where its space"),
        (theirs.Box(0, 9, (2,), np.uint8), np.array([0.5, 1]), "float64 that are no uint8"),
        (theirs.Box(0, 9, (2,), np.uint8), np.array([0, 256]), "int64 that are no uint8"),
        (theirs.MultiBinary(2), np.array([0, 2]), "that are no bool"),
        (theirs.Discrete(3, start=1), 0, "has 0, which is not in"),
        (theirs.Discrete(3, start=1), 4, "has 4, which is not in"),
        (theirs.MultiDiscrete([3, 3]), np.array([0, 3]), r"has \[0, 3\], which is not in"),
        (theirs.MultiDiscrete([3, 3]), np.array([0.0, 1.0]), "where its space"),
        (theirs.Tuple([theirs.Discrete(2)] * 2), (0,), "shorter|longer"),
    ],
)
def test_what_is_not_of_its_space(space, shown, fault):
    spec, write = spaces.observed(space)
    with pytest.raises(ValueError, match=fault):
        write(shown, arrays(spec))


@pytest.mark.parametrize("shown", [[1, 2], (1.0, 2), np.array([1, 2]), np.array([1.0, 2.0])])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64", "float64"])
def test_numbers_of_another_kind_are_taken_if_they_are_the_same(shown, dtype):
    _, write = spaces.observed(theirs.Box(0, 9, (2,), np.dtype(dtype)))
    stored = np.zeros(2, dtype)
    write(shown, stored)
    assert stored.tolist() == [1, 2]


def test_bounds_that_float32_has_no_number_for():
    spec, action = spaces.played(theirs.Box(-1e300, 1e300, (1,), np.float64), "clip")
    assert (spec.low, spec.high) == ((-np.inf,), (np.inf,))
    assert action(np.float32([5])) == 5
    with pytest.raises(errors.ConfigError, match=r"Gymnasium\.bounded_by = 'tanh'") as error:
        spaces.played(theirs.Box(0, np.inf, (1,)), "tanh")
    assert len(str(error.value).splitlines()) == 1
