import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import seeding

seeds = st.integers(0, 2**63)
counters = st.integers(0, 2**40)


@given(seeds, counters, counters)
def test_pure(seed, a, b):
    assert seeding.integer(seed, "x", a, b) == seeding.integer(seed, "x", a, b)
    first, second = (seeding.generator(seed, "x", a, b).random(3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "place",
    [
        (1, "x", 0, 0),
        (0, "y", 0, 0),
        (0, "x", 1, 0),
        (0, "x", 0, 1),
        (0, "x", 0),
        (0, "x", 0, 0, 0),
    ],
)
def test_every_part_of_the_place_matters(place):
    assert seeding.integer(*place) != seeding.integer(0, "x", 0, 0)
    assert seeding.generator(*place).random() != seeding.generator(0, "x", 0, 0).random()


def test_digits_do_not_run_into_each_other():
    assert seeding.integer(1, "x", 12, 3) != seeding.integer(1, "x", 1, 23)
    assert seeding.integer(11, "x", 2) != seeding.integer(1, "x", 12)


def test_neighbouring_streams_are_uncorrelated():
    streams = np.array([seeding.generator(0, "x", i).standard_normal(1000) for i in range(8)])
    correlation = np.corrcoef(streams) - np.eye(8)
    assert np.abs(correlation).max() < 0.15  # 4.7 standard deviations


def test_the_streams_of_old_runs_are_still_the_same():
    assert seeding.integer(0, "weights") == 622525341
    assert seeding.episode_seed(1, 2, 3) == 228388176
    assert seeding.episode_seed(1, 2, 3, evaluation=True) == 1533692341
    np.testing.assert_array_equal(seeding.permutations(5, 6, 1, 6), [[1, 2, 3, 4, 5, 0]])
    noise = seeding.generator(7, "noise", 8).gumbel(size=(1, 1, 2))
    np.testing.assert_allclose(noise, [[[0.0350429, -0.7930963]]], rtol=1e-5)


@given(seeds, counters, counters)
def test_episode_seeds_fit_an_engine_and_tell_training_from_evaluation(seed, env, episode):
    training = seeding.episode_seed(seed, env, episode)
    evaluation = seeding.episode_seed(seed, env, episode, evaluation=True)
    assert 0 <= training < 2**31
    assert 0 <= evaluation < 2**31
    assert (training & 1, evaluation & 1) == (0, 1)
    assert type(training) is type(evaluation) is int


def test_evaluation_is_not_training_with_another_last_bit():
    places = list(itertools.product(range(8), range(8)))
    assert any(
        seeding.episode_seed(0, *place) | 1 != seeding.episode_seed(0, *place, evaluation=True)
        for place in places
    )


def test_episode_seeds_hardly_ever_repeat():
    all_seeds = {
        seeding.episode_seed(*place) for place in itertools.product(range(4), range(50), range(50))
    }
    # 10,000 draws from 2**30 numbers: 0.05 repetitions are to be expected.
    assert len(all_seeds) >= 10_000 - 3


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_numpy_counter_is_as_good_as_an_int(env, episode):
    assert seeding.episode_seed(0, np.int64(env), np.int64(episode)) == seeding.episode_seed(
        0, env, episode
    )


@pytest.mark.parametrize("number", [np.int64(300), np.uint16(300)])
def test_an_evaluations_seed_is_an_int_whatever_counts_its_episodes(number):
    seed = seeding.evaluation_seed(np.int64(7), number, num_tasks=1_000)
    assert type(seed) is int
    assert seed == seeding.evaluation_seed(7, 300, num_tasks=1_000)


@given(st.integers(0, 100), st.integers(1, 4), st.integers(1, 50))
def test_permutations_are_permutations(update, epochs, size):
    order = seeding.permutations(1, update, epochs, size)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(size), (epochs, 1)))


def test_shards_have_orders_of_their_own():
    orders = [seeding.permutations(1, 0, 2, 50, shard) for shard in range(3)]
    assert len({order.tobytes() for order in orders}) == 3
    np.testing.assert_array_equal(orders[0], seeding.permutations(1, 0, 2, 50))


def test_permutations_differ_between_epochs_updates_and_seeds():
    order = seeding.permutations(1, 0, 2, 100)
    assert not np.array_equal(order[0], order[1])
    assert not np.array_equal(order, seeding.permutations(1, 1, 2, 100))
    assert not np.array_equal(order, seeding.permutations(2, 0, 2, 100))
