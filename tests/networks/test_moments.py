import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hts_tf.networks.moments import RunningMoments
from tests.networks.vec_normalize import RunningMeanStd

pytestmark = pytest.mark.usefixtures("op_determinism")


def after(*batches):
    moments = RunningMoments(batches[0].shape[1:])
    for batch in batches:
        moments.update(batch)
    return moments


def assert_are_of(moments, data, rtol=1e-9):
    data = data.astype(np.float64)
    deviation = data.std(axis=0)
    np.testing.assert_allclose(moments.mean, data.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(moments.variance, deviation**2, rtol=rtol, atol=1e-18)
    assert float(moments.count) == len(data)


def test_before_anything_was_seen_nothing_is_shifted_or_scaled():
    moments = RunningMoments((2,))
    assert np.array_equal(moments.mean, [0, 0])
    np.testing.assert_allclose(moments.inverse_deviation(), [1, 1], rtol=1e-7)


@pytest.mark.parametrize("first", [0, 5])
def test_none_change_nothing(first):
    data = np.random.default_rng(0).normal(3.0, 2.0, (first, 2))
    moments = after(data)
    before = [variable.numpy() for variable in moments.variables]
    moments.update(np.zeros((0, 2)))
    for variable, array in zip(moments.variables, before, strict=True):
        np.testing.assert_array_equal(variable, array)
    moments.update(np.ones((4, 2)))
    assert_are_of(moments, np.concatenate([data, np.ones((4, 2))]))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_the_rule_is_that_of_vec_normalize(shape):
    random = np.random.default_rng(0)
    batches = [random.normal(3.0, 5.0, (n, *shape)) for n in (5, 1, 40, 2)]
    literal = RunningMeanStd(shape)
    for batch in batches:
        literal.update(batch)
    moments = after(*batches)
    np.testing.assert_allclose(moments.mean, literal.mean, rtol=1e-12)
    np.testing.assert_allclose(moments.variance, literal.var, rtol=1e-12)
    assert float(moments.count) == literal.count
    np.testing.assert_allclose(
        moments.inverse_deviation(), 1 / np.sqrt(literal.var + 1e-8), rtol=1e-12
    )


@settings(max_examples=25)
@given(
    arrays.arrays(np.float32, (30, 2), elements=st.floats(-1e6, 1e6, width=32)),
    st.lists(st.integers(1, 29), max_size=6),
    st.randoms(use_true_random=False),
)
def test_any_split_and_any_order_come_to_the_same(data, cuts, random):
    order = random.sample(range(30), 30)
    moments = after(*(part for part in np.split(data[order], sorted(cuts)) if len(part)))
    whole = data.astype(np.float64)
    scale = np.abs(whole).max(axis=0) + 1e-30
    np.testing.assert_allclose(moments.mean, whole.mean(axis=0), rtol=0, atol=1e-12 * scale.max())
    difference = np.abs(np.sqrt(moments.variance) - whole.std(axis=0))
    assert (difference <= 1e-9 * scale).all()
    assert float(moments.count) == 30


@pytest.mark.parametrize("rows", [1, 7, 256])
@pytest.mark.parametrize(("offset", "rtol"), [(1e6, 1e-9), (-1e6, 1e-9), (1e9, 1e-6)])
def test_large_numbers_that_differ_by_little(offset, rtol, rows):
    """Squares of numbers, instead of deviations, would have no digit of the variance right."""
    random = np.random.default_rng(0)
    data = offset + random.choice([-1.0, 1.0], (512, 2))
    assert_are_of(after(*np.split(data, range(rows, 512, rows))), data, rtol)


def test_a_million_updates_later_new_ones_still_count():
    moments = RunningMoments(())
    moments.count.assign(1e6 * 2048)
    moments.mean.assign(5.0)
    moments.update(np.full(2048, 6.0))
    np.testing.assert_allclose(float(moments.mean) - 5.0, 1 / (1e6 + 1), rtol=1e-6)


def test_constants_have_no_variance():
    assert_are_of(after(np.full((64, 1), 0.1), np.full((5, 1), 0.1)), np.full((69, 1), 0.1))


def test_they_are_not_trained():
    moments = RunningMoments((3,))
    assert len(moments.variables) == 3
    assert moments.trainable_variables == []
