import numpy as np

from hts_tf.opponents.results import Results


def test_what_the_current_policy_has_scored_is_that_of_who_is_frozen():
    """Its successor begins without any."""
    results = Results(3)
    results.add([(1, 1.0), (1, 1.0), (1, 0.0), (2, -1.0), (0, 1.0)])
    results.freeze()
    results.add([(3, 1.0)])
    np.testing.assert_array_equal(results.outcomes, [[1, 0, 0], [2, 1, 0], [0, 0, 1], [1, 0, 0]])
    points = results.state()["opponents/points"]
    np.testing.assert_array_equal(
        points, [[0, 0, 0, 1], [0, 0, 0, 0.5], [0, 0, 0, 1], [0, 2.5, 0, 1]]
    )
