import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hts_tf.curriculum import rules

WINDOW = 10


def mastered(*numbers, num_tasks=4):
    """[K, window]: so many successes of each task, the newest."""
    successes = np.zeros((num_tasks, WINDOW), bool)
    for task, number in enumerate(numbers):
        successes[task, WINDOW - number :] = True
    return successes


def shares(successes, counts=None, **bound):
    counts = np.full(len(successes), WINDOW) if counts is None else np.array(counts)
    return rules.one_after_another(successes, counts, **bound).tolist()


def test_the_first_that_is_not_mastered():
    assert shares(mastered(7), threshold=0.8) == [1, 0, 0, 0]
    assert shares(mastered(8), threshold=0.8, revisit=0.0) == [0, 1, 0, 0]
    np.testing.assert_allclose(shares(mastered(10, 8), revisit=0.2), [0.1, 0.1, 0.8, 0])
    np.testing.assert_allclose(shares(mastered(9, 9, 9, 9), revisit=0.3), [0.1, 0.1, 0.1, 0.7])


def test_shares_of_successes_are_compared_as_they_are_written():
    """0.55 of 100, for one, is a little more than 55 in binary numbers."""
    for number in range(1, 101):
        successes = np.arange(100) < np.array([[number], [0]])
        counts = np.full(2, 100)
        found = rules.one_after_another(successes, counts, threshold=number / 100, revisit=0.0)
        assert found.tolist() == [0, 1], number


def test_one_that_is_forgotten_comes_back():
    assert shares(mastered(7, 10, 10)) == [1, 0, 0, 0]


def test_a_few_successes_master_nothing():
    assert shares(mastered(8), counts=[9, 0, 0, 0]) == [1, 0, 0, 0]


def test_progress_for_better_or_worse():
    successes = mastered(5, 0, 10)
    successes[1, :5] = True  # and forgotten
    found = rules.by_progress(successes, np.full(4, WINDOW), explore=0.2)
    np.testing.assert_allclose(found, [0.45, 0.45, 0.05, 0.05])
    found = rules.by_progress(mastered(0), np.zeros(4, int), explore=0.2)
    np.testing.assert_allclose(found, 0.25)


@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(2, 12))),
    st.sampled_from([rules.one_after_another, rules.by_progress]),
    st.randoms(use_true_random=False),
)
def test_shares_are_shares(successes, rule, random):
    counts = np.array([random.randint(0, successes.shape[1]) for _ in successes])
    found = rule(successes, counts)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(), 1)
