import numpy as np
import pytest

from hts_tf.opponents.results import DRAW, LOSS, WIN, Results, outcome


def test_what_the_current_policy_has_scored_is_that_of_who_is_frozen():
    """Its successor begins without any."""
    results = Results(3)
    results.add([(1, 1.0), (1, 1.0), (1, 0.0), (2, -1.0), (0, 1.0)])
    results.freeze()
    results.add([(3, 1.0)])
    twice = 0.99 + 0.99**2
    np.testing.assert_allclose(
        results.outcomes, [[1, 0, 0], [twice, 1, 0], [0, 0, 1], [1, 0, 0]], rtol=1e-15
    )
    points = results.state()["opponents/points"]
    np.testing.assert_array_equal(
        points, [[0, 0, 0, 1], [0, 0, 0, 0.5], [0, 0, 0, 1], [0, 2.5, 0, 1]]
    )


def test_who_was_hard_to_beat_is_not_for_ever():
    """Of a thousand defeats, two hundred wins let next to nothing be seen."""
    results = Results(3)
    results.add([(1, -1.0)] * 1000 + [(1, 1.0)] * 200)
    wins, draws, losses = results.outcomes[1]
    assert draws == 0
    assert losses / wins < 0.2
    assert wins + losses == pytest.approx(100, rel=0.01)
    np.testing.assert_array_equal(results.outcomes[2], 0)


def test_it_goes_on_from_what_it_was():
    """Also from counts, as checkpoints once had them."""
    results, again = Results(2), Results(2)
    results.add([(1, 1.0), (1, 0.0)])
    again.restore(results.state())
    for one in (results, again):
        one.add([(1, -1.0)])
    np.testing.assert_array_equal(results.outcomes, again.outcomes)
    again.restore({**results.state(), "opponents/results": np.ones((2, 3), np.int64)})
    again.add([(1, 1.0)])
    np.testing.assert_array_equal(again.outcomes[1], [1.99, 0.99, 0.99])


def test_what_rounding_leaves_is_no_win():
    left = float(np.float32(0.1)) * 3 - float(np.float32(0.3))
    assert left != 0
    assert [outcome(score) for score in (left, -left, 0.0)] == [DRAW] * 3
    assert [outcome(score) for score in (0.01, 3.0, -0.01)] == [WIN, WIN, LOSS]
