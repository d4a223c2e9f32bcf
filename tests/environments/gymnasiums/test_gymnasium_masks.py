import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.environments.gymnasiums.masks import Mask

sizes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@given(sizes, st.integers(0, 999), st.sampled_from(["bool", "int8", "float32"]))
def test_masks_are_written_one_after_another(sizes, seed, dtype):
    random = np.random.default_rng(seed)
    parts = [random.integers(0, 2, size).astype(dtype) for size in sizes]
    expected = np.concatenate(parts).astype(bool)
    mask = Mask(sizes, (len(sizes),))
    forms = [np.concatenate(parts), tuple(parts), [part.tolist() for part in parts]]
    forms.append((tuple(parts[:1]), tuple(parts[1:])) if len(parts) > 2 else tuple(parts))
    for given_mask in forms:
        for over in (False, True):
            written = np.zeros(mask.spec.shape, bool)
            if all(part.any() for part in parts):
                mask.write(given_mask, written, over)
                assert written.tolist() == expected.tolist()
            elif over:
                mask.write(given_mask, written, over)
                assert written.all()
            else:
                with pytest.raises(ValueError, match="permits nothing"):
                    mask.write(given_mask, written, over)


def test_a_table_of_numbers_with_other_numbers_of_values():
    """As Gymnasium samples with it."""
    mask = Mask((2, 3, 4, 5), (2, 2))
    parts = [np.arange(size) % 2 for size in (2, 3, 4, 5)]
    written = np.zeros(14, bool)
    mask.write((tuple(parts[:2]), tuple(parts[2:])), written, over=False)
    assert written.tolist() == [bool(number) for part in parts for number in part]


def test_a_table_of_numbers_with_as_many_values_each():
    mask = Mask((2, 2, 2, 2), (2, 2))
    table = np.array([[[1, 0], [0, 1]], [[1, 1], [1, 0]]])
    written = np.zeros(8, bool)
    mask.write(table, written, over=False)
    assert written.tolist() == [True, False, False, True, True, True, True, False]


@pytest.mark.parametrize(
    ("sizes", "given_mask", "fault"),
    [
        ((3,), None, "is missing"),
        ((3,), np.ones(2), "has the shape"),
        ((3,), np.ones((1, 3, 1)), "has the shape"),
        ((3,), 1, "has the shape"),
        ((3,), "abc", "has the shape"),
        ((2, 3), np.ones(4), "has the shape"),
        ((2, 3), (np.ones(3), np.ones(2)), "has the shape"),
        ((2, 3), (np.ones(2), np.array([])), "has the shape"),
        ((2, 3), (np.ones(2),), "has the shape"),
    ],
)
def test_other_masks_are_refused(sizes, given_mask, fault):
    mask = Mask(sizes, (len(sizes),) if len(sizes) > 1 else ())
    with pytest.raises(ValueError, match=fault):
        mask.write(given_mask, np.zeros(sum(sizes), bool), over=False)


def test_after_an_episode_nothing_has_to_be_permitted():
    for given_mask in (None, np.zeros(3)):
        written = np.zeros(3, bool)
        Mask((3,), ()).write(given_mask, written, over=True)
        assert written.all()
