import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.opponents import ratings

SIZES = st.integers(2, 6)


def table(size, seed, most=30):
    """Points of random matches, draws among them."""
    random = np.random.default_rng(seed)
    wins, draws = random.integers(most, size=(2, size, size))
    draws = np.triu(draws, 1)
    points = wins + 0.5 * (draws + draws.T)
    np.fill_diagonal(points, 0.0)
    return points


@settings(max_examples=50)
@given(SIZES, st.integers(0, 2**32 - 1))
def test_points_expected_are_points_made(size, seed):
    """What defines the maximum, with the match against the average player."""
    points = table(size, seed)
    found = ratings.bradley_terry(points)
    assert found.rating.mean() == pytest.approx(0, abs=1e-6)
    strength = found.rating / ratings.ELO
    matches = points + points.T
    chance = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
    made, expected = points.sum(1), (matches * chance).sum(1)
    np.testing.assert_allclose(made, expected, atol=0.5)
    assert (found.low <= found.rating).all()
    assert (found.rating <= found.high).all()


@given(SIZES, st.integers(0, 2**32 - 1))
def test_the_order_of_players_is_nothing(size, seed):
    points, order = table(size, seed), np.random.default_rng(seed).permutation(size)
    found = ratings.bradley_terry(points)
    again = ratings.bradley_terry(points[np.ix_(order, order)])
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(one[order], other, atol=1e-6)


def test_known_strengths_are_found():
    random = np.random.default_rng(0)
    strength = np.array([-1.0, -0.3, 0.2, 1.1])
    chance = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
    wins = random.binomial(5000, np.triu(chance, 1))
    points = np.triu(wins, 1) + np.tril((5000 - wins).T, -1)
    found = ratings.bradley_terry(points)
    np.testing.assert_allclose(found.rating, strength * ratings.ELO, atol=15)
    assert (np.abs(strength * ratings.ELO - found.rating) < 1.5 * (found.high - found.rating)).all()


@given(SIZES, st.integers(0, 2**32 - 1))
def test_with_an_anchor_ratings_are_differences_to_it(size, seed):
    points, anchor = table(size, seed), seed % size
    plain, anchored = ratings.bradley_terry(points), ratings.bradley_terry(points, anchor)
    np.testing.assert_allclose(anchored.rating, plain.rating - plain.rating[anchor], atol=1e-6)
    assert [array[anchor] for array in anchored] == pytest.approx([0, 0, 0], abs=1e-6)
    others = np.arange(size) != anchor
    if (points + points.T).sum(1).all():
        assert (anchored.high - anchored.rating)[others].min() > 0


@pytest.mark.parametrize("anchor", [None, 0, 2])
def test_intervals_hold_what_they_promise(anchor):
    """95 of 100 cover, about."""
    random = np.random.default_rng(1)
    strength = np.array([-0.5, 0.0, 0.5])
    chance = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
    covered = []
    for _ in range(300):
        wins = random.binomial(60, np.triu(chance, 1))
        points = np.triu(wins, 1) + np.tril((60 - wins).T, -1)
        found = ratings.bradley_terry(points, anchor)
        truth = (strength - (0.0 if anchor is None else strength[anchor])) * ratings.ELO
        inside = (found.low - 1e-9 <= truth) & (truth <= found.high + 1e-9)
        covered.append(np.delete(inside, [] if anchor is None else anchor))
    assert 0.9 < np.mean(covered) < 0.99


def test_who_wins_everything_stays_within_reach():
    points = np.array([[0.0, 40.0], [0.0, 0.0]])
    found = ratings.bradley_terry(points)
    assert np.isfinite(found.rating).all()
    assert 400 < found.rating[0] - found.rating[1] < 2000


def test_nobody_has_played():
    found = ratings.bradley_terry(np.zeros((3, 3)))
    np.testing.assert_allclose(found.rating, 0.0)
