import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import specs

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
    image = SPEC.to_dense(encoded)
    assert image.dtype == np.float32
    # (row, column, channel): channels 0 and 1 are the older frame's planes, 2 and 3 the newer's.
    expected = {(0, 0, 0), (1, 2, 0), (3, 4, 1), (0, 4, 2), (0, 4, 3)}
    assert set(map(tuple, np.argwhere(image == 1).tolist())) == expected
    assert image.sum() == len(expected)


def test_nothing_is_set_without_pixels():
    assert not SPEC.to_dense(np.full((2, 3), NO, np.uint16)).any()


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
    channels = SPEC.to_dense(np.array(frames, np.uint16)).reshape(20, 4).T
    actual = {
        (channel, position)
        for channel, position in itertools.product(range(4), range(20))
        if channels[channel, position]
    }
    assert actual == expected


def test_to_dense_refuses_another_number_of_pixels():
    with pytest.raises(ValueError, match="shorter"):
        SPEC.to_dense(np.zeros((2, 2), np.uint16))
