import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import confidence


@settings(max_examples=20)  # a thousand draws each
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=30))
def test_an_interval_lies_among_the_values(values):
    low, high = confidence.interval(np.array(values))
    assert min(values) <= low <= high <= max(values)
    assert (low, high) == confidence.interval(np.array(values))


def test_an_interval_is_as_wide_as_the_theory_says():
    values = np.array([0.0, 1.0] * 200)
    low, high = confidence.interval(values)
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.01)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)


def test_equal_scores_have_no_interval():
    assert confidence.between(np.ones(20)) == "no interval, as all are the same"
    assert confidence.between(np.array([0.0, 1.0])) == "95 % interval 0.000 to 1.000"
