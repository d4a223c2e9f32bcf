"""Several players, of both sides: against gfootball's own environment."""

import itertools

import numpy as np
import pytest
from football_pair import Pair, purposeful_actions

from hts_tf import errors
from hts_tf.environments import checked
from hts_tf.environments.football import football

# Scenario, left players, right players.
TEAMS = [
    ("academy_3_vs_1_with_keeper", 3, 0),
    ("academy_3_vs_1_with_keeper", 0, 1),
    ("academy_run_pass_and_shoot_with_keeper", 2, 1),
    ("5_vs_5", 4, 4),
    ("11_vs_11_hard_stochastic", 5, 3),
    ("11_vs_11_stochastic", 11, 11),
    ("11_vs_11_stochastic", 0, 11),
]


def joint_actions(seed, num_players):
    """Endless arrays of actions."""
    each = zip(*(purposeful_actions(100 * seed + p) for p in range(num_players)), strict=True)
    return (np.array(actions) for actions in each)


def play(teams, seeds, most_steps, **settings):
    scenario, left, right = teams
    pair = Pair(scenario, left_players=left, right_players=right, **settings)
    if left + right == 1:
        actions = purposeful_actions
    else:

        def actions(seed):
            return joint_actions(seed, left + right)

    results = [pair.play(seed, itertools.islice(actions(seed), most_steps)) for seed in seeds]
    pair.close()
    return results


@pytest.mark.parametrize("teams", TEAMS)
def test_episodes_equal_gfootballs(teams):
    play(teams, range(2), 40, frames=1, representation="extracted")


def test_stacked_frames_equal_gfootballs():
    play(("academy_3_vs_1_with_keeper", 3, 1), range(2), 60, frames=4)


@pytest.mark.slow
@pytest.mark.parametrize("teams", TEAMS)
def test_long_episodes_equal_gfootballs(teams):
    is_short = teams[0].startswith("academy")
    seeds = range(3 if is_short else 2)
    results = play(teams, seeds, 400 if is_short else 120, frames=1, representation="simple115v2")
    if is_short:
        rewards = np.array([result.reward for episode in results for result in episode])
        assert (rewards != 0).any()


@pytest.mark.parametrize(("left", "right"), [(4, 4), (0, 4)])
def test_set_pieces_equal_gfootballs(left, right):
    """Players who stand still are made to kick off, each side in its own direction."""
    pair = Pair("5_vs_5", left_players=left, right_players=right, frames=1)
    for seed in (0, 1, 2):
        pair.play(seed, [np.zeros(left + right, int)] * 60)
    pair.close()


def test_shared_rewards_are_the_means_of_each_side():
    scenario = "academy_3_vs_1_with_keeper"
    players = {"left_players": 3, "right_players": 1}
    own = football.Football(scenario, **players)
    games = [own.make(), football.Football(scenario, **players, shared_reward=True).make()]
    observation = own.spec.new_observation()
    unequal = 0
    for seed in range(10):
        for game in games:
            game.reset(seed, observation)
        for actions in itertools.islice(joint_actions(seed, 4), 60):
            single, shared = (game.step(actions, observation) for game in games)
            expected = [*[single.reward[:3].mean()] * 3, single.reward[3]]
            np.testing.assert_allclose(shared.reward, expected, rtol=1e-6)
            unequal += np.ptp(single.reward[:3]) > 0
            if single.is_over:
                break
    assert unequal
    for game in games:
        game.close()


def test_a_side_that_is_turned_sees_the_same():
    """Who mirrors the other: positions differ by their signs alone, and goals by theirs."""
    config = football.Football(
        "11_vs_11_stochastic",
        representation="simple115v2",
        frames=1,
        left_players=1,
        right_players=1,
    )
    game, observation = checked.make(config), config.spec.new_observation()
    game.reset(3, observation)
    for actions in itertools.islice(joint_actions(3, 2), 30):
        game.step(actions, observation)
        left, right = observation
        np.testing.assert_array_equal(left[:44], -right[44:88])
        np.testing.assert_array_equal(left[44:88], -right[:44])
        np.testing.assert_array_equal(left[88:90], -right[88:90])
        assert left[90] == right[90]
        assert left[94:97].tolist() == right[[94, 96, 95]].tolist()
    game.close()


def test_all_who_can_be_controlled():
    def players(scenario, left, right):
        return football.Football(scenario, left_players=left, right_players=right).players

    assert players("academy_3_vs_1_with_keeper", "all", 0) == (4, 0)
    assert players("5_vs_5", "all", "all") == (4, 4)
    assert players("11_vs_11_stochastic", 1, "all") == (1, 11)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"left_players": 5}, "has 4 players to control in its left team, not Football.left"),
        ({"right_players": 3}, "has 2 players to control in its right team, not Football.right"),
        ({"left_players": 0}, "both 0: nobody would learn"),
        ({"left_players": 12}, "left_players = 12"),
        ({"left_players": -1}, "left_players = -1"),
        ({"right_players": 12}, "right_players = 12"),
        ({"right_players": -1}, "right_players = -1"),
        ({"right_players": 1.5}, "right_players = 1.5"),
        ({"left_players": "al"}, "left_players = 'al'"),
    ],
)
def test_players_that_there_are_not(settings, says):
    with pytest.raises(errors.ConfigError, match=says):
        football.Football("academy_3_vs_1_with_keeper", **settings)
