import numpy as np

from hts_tf.environments import checked
from hts_tf.environments.random_episodes import first_difference, play
from tests.environments.games_with_history import Game


def test_another_seed_with_the_same_draws_has_the_same_actions():
    game = Game(3, 5)
    one, other, third = (
        play(checked.make(game), game.spec, seed, draws=draws)
        for seed, draws in [(2, None), (4, 2), (4, None)]
    )
    assert one.actions == other.actions != third.actions


def test_actions_are_not_what_a_game_hides():
    """It draws that from its seed, and faults may show by wrong actions only."""
    game = Game(4, 100)
    played = play(checked.make(game), game.spec, 2)
    hidden = np.random.default_rng(2).integers(4, size=100)
    assert np.mean(np.array(played.actions) == hidden) < 0.5


def test_the_first_difference():
    one = [{"a": b"1", "b": b"2"}, {"a": b"3", "b": b"4"}]
    assert first_difference(one, one) is None
    assert first_difference(one, [one[0], {"a": b"3", "b": b"5"}]) == (0, "b")
    assert first_difference(one, [{"a": b"0", "b": b"0"}, one[1]]) == (None, "a")


def test_actions_are_kept_as_they_were_played():
    game = Game(3, 5)
    played = play(checked.make(game), game.spec, 2)
    again = play(checked.make(game), game.spec, 2, actions=played.actions)
    assert first_difference(played.moments, again.moments) is None
    np.testing.assert_array_equal(played.actions, again.actions)
