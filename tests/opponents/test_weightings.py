import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.opponents import weightings

RESULTS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=6
).map(lambda rows: np.array(rows, np.int64))


@given(RESULTS)
def test_win_rates_literally(results):
    for found, (wins, draws, losses) in zip(
        weightings.win_rates(results), results.tolist(), strict=True
    ):
        draws += 1  # the one that everybody begins with
        expected = (wins + draws / 2) / (wins + draws + losses)
        assert found == pytest.approx(expected)
        assert 0 < found < 1


@given(RESULTS)
def test_harder_ones_weigh_more(results):
    weights, rates = weightings.prioritised(results), weightings.win_rates(results)
    np.testing.assert_allclose(weights, (1 - rates) ** 2)
    assert (np.diff(weights[np.argsort(rates)]) <= 1e-12).all()


def test_others():
    results = np.zeros((3, 3), np.int64)
    assert weightings.uniform(results).tolist() == [1, 1, 1]
    assert weightings.latest(results).tolist() == [0, 0, 1]
