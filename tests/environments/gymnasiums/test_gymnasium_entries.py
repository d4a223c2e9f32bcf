import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors, specs
from hts_tf.environments.gymnasiums import entries
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
def test_the_same_game_is_seen_in_part(indices):
    game = entries.KeepEntries(gymnasium.make("CartPole-v1"), indices)
    whole = gymnasium.make("CartPole-v1")
    assert game.observation_space.shape == (len(indices),)
    np.testing.assert_array_equal(
        game.observation_space.high, whole.observation_space.high[indices]
    )
    np.testing.assert_array_equal(game.observation_space.low, whole.observation_space.low[indices])
    shown, all_there_is = game.reset(seed=3)[0], whole.reset(seed=3)[0]
    for action in [0, 1, 1, 0, 1]:
        np.testing.assert_array_equal(shown, all_there_is[indices])
        assert game.observation_space.contains(shown)
        (shown, *outcome), (all_there_is, *expected) = game.step(action), whole.step(action)
        assert outcome == expected


def test_it_is_found_by_its_name():
    positions = Gymnasium("CartPole-v1", wrappers=[("KeepEntries", {"indices": (0, 2)})])
    assert positions.spec.observation == specs.ArraySpec((2,), "float32")


@pytest.mark.parametrize("indices", [(), (0, 4), (-1,), (1, 1), ("x",), 1, None])
def test_numbers_that_are_not_there(indices):
    with pytest.raises(errors.ConfigError, match=r"^Gymnasium\.wrappers: KeepEntries with .*"):
        _ = Gymnasium("CartPole-v1", wrappers=[("KeepEntries", {"indices": indices})]).spec


def test_only_vectors_have_them():
    with pytest.raises(errors.ConfigError, match=r"not vectors"):
        _ = Gymnasium("FrozenLake-v1", wrappers=[("KeepEntries", {"indices": (0,)})]).spec
