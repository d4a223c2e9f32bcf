import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.environments.pettingzoos.two_teams import TwoTeams

AGENTS = ("a", "b", "c", "d")


def test_rivals_come_last_in_the_order_in_which_they_are_named():
    teams = TwoTeams(AGENTS, ("d", "a"))
    assert teams.agents == ["b", "c", "d", "a"]
    assert teams.numbers == [1, 2, 3, 0]
    assert teams.num_rivals == 2


def test_of_one_side_scores_are_rewards():
    reward = np.array([1.0, 2.0, 3.0, 4.0])
    assert TwoTeams(AGENTS, ()).scores(reward) is reward


@given(st.integers(1, 3), st.lists(st.floats(-10, 10), min_size=4, max_size=4))
def test_a_side_has_what_it_is_ahead(num_rivals, rewards):
    reward = np.array(rewards)
    scores = TwoTeams(AGENTS, AGENTS[-num_rivals:]).scores(reward)
    own, rivals = slice(4 - num_rivals), slice(4 - num_rivals, 4)
    ahead = (reward[own].mean() - reward[rivals].mean()) / 2
    assert scores[own] == pytest.approx(ahead)
    assert scores[rivals] == pytest.approx(-ahead)


def test_what_one_gains_the_other_loses_is_the_score():
    assert TwoTeams(AGENTS[:2], ("b",)).scores(np.array([3.0, -3.0])).tolist() == [3, -3]
