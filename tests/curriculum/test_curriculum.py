import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.curriculum import rules
from hts_tf.curriculum.curriculum import Curriculum, Progress

ONE_BY_ONE = Curriculum(window=4)


def test_moves_on():
    progress = Progress(ONE_BY_ONE, 3)
    assert progress.shares.tolist() == [1, 0, 0]
    progress.update([(0, 1.0)] * 3)
    assert progress.shares.tolist() == [1, 0, 0]
    progress.update([(0, 0.5)])
    np.testing.assert_allclose(progress.shares, [0.1, 0.9, 0])
    progress.update([(1, 2.0)] * 4)
    np.testing.assert_allclose(progress.shares, [0.05, 0.05, 0.9])
    progress.update([(0, 0.0)])  # no success, as it is not above 0
    assert progress.shares.tolist() == [1, 0, 0]
    assert progress.figures() == {
        "tasks/share/0": 1.0,
        "tasks/share/1": 0.0,
        "tasks/share/2": 0.0,
        "tasks/success/0": 0.75,
        "tasks/success/1": 1.0,
    }


def test_what_counts_as_success():
    progress = Progress(Curriculum(window=2, success=10.0), 2)
    progress.update([(0, 10.0), (0, 11.0)])
    assert progress.figures()["tasks/success/0"] == 0.5


def test_what_rounding_leaves_is_no_success():
    draw = sum(float(np.float32(score)) for score in (-0.1, -0.2, 0.3))
    assert draw > 0
    progress = Progress(Curriculum(window=2), 2)
    progress.update([(0, draw), (1, 0.01)])
    figures = progress.figures()
    assert (figures["tasks/success/0"], figures["tasks/success/1"]) == (0, 1)


def test_without_a_curriculum_all_alike():
    progress = Progress(None, 4)
    progress.update([(2, 1.0)] * 200)
    assert progress.shares.tolist() == [0.25] * 4


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans())), st.integers(0, 50))
def test_goes_on_from_a_saved_state(results, cut):
    whole = Progress(ONE_BY_ONE, 3)
    whole.update(results)
    first, second = Progress(ONE_BY_ONE, 3), Progress(ONE_BY_ONE, 3)
    first.update(results[:cut])
    second.restore(first.state())
    assert second.shares.tolist() == first.shares.tolist()
    second.update(results[cut:])
    assert second.shares.tolist() == whole.shares.tolist()
    assert second.figures() == whole.figures()


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ([1.0, 1.0], "must return a share"),
        ([1.0, -1.0, 1.0], "must return a share"),
        ([0.0, 0.0, 0.0], "must return a share"),
        ([np.nan, 1.0, 1.0], "must return a share"),
        ([1.0, 2.0, 3.0], "never moves"),
    ],
)
def test_rules_that_are_none(shares, says):
    with pytest.raises(errors.ConfigError, match=says) as raised:
        Progress(Curriculum(rule=lambda successes, counts: np.array(shares)), 3)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("rule", [rules.one_after_another, rules.by_progress])
def test_ours_move(rule):
    Progress(Curriculum(rule=rule), 2)
