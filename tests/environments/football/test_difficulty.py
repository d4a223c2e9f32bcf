"""How able a team is, on the real engine."""

import functools
import itertools

import numpy as np
import pytest
from football_pair import Pair, purposeful_actions

from hts_tf import errors
from hts_tf.environments.football import football

SCENARIO, EASY = "11_vs_11_stochastic", "11_vs_11_easy_stochastic"
OWN = {"left_difficulty": 1.0, "right_difficulty": 0.6}  # of SCENARIO; the left one is a default

# Left and right players: one, whole teams, and the right one alone.
PLAYERS = [(1, 0), (11, 11), (0, 11)]


def play(scenario=SCENARIO, players=(1, 0), seeds=(3,), **settings):
    """Plays the beginning of some episodes in one environment; returns everything it brought."""
    left, right = players
    config = football.Football(
        scenario,
        representation="simple115v2",
        frames=1,
        left_players=left,
        right_players=right,
        **settings,
    )
    game, observation = config.make(), config.spec.new_observation()
    brought = []
    for seed in seeds:
        game.reset(seed, observation)
        brought.append(observation.tobytes())
        each = (purposeful_actions(100 * seed + player) for player in range(left + right))
        for actions in itertools.islice(zip(*each, strict=True), 40):
            result = game.step(np.array(actions) if left + right > 1 else actions[0], observation)
            brought += [observation.tobytes(), repr(result)]
    game.close()
    return brought


played = functools.cache(play)  # for what several compare with


@pytest.mark.parametrize("players", PLAYERS)
def test_what_the_scenario_sets_changes_nothing(players):
    expected = played(players=players)
    for settings in (OWN, *({name: value} for name, value in OWN.items())):
        assert play(players=players, **settings) == expected


@pytest.mark.parametrize("players", PLAYERS)
def test_another_difficulty_makes_another_match(players):
    """Also where nobody is left to gfootball's AI: abilities are those of the team."""
    matches = [played(players=players)]
    matches += [play(players=players, left_difficulty=d) for d in (0.5, 0.0)]
    matches += [play(players=players, right_difficulty=d) for d in (0.95, 0.0)]
    for one, other in itertools.combinations(matches, 2):
        assert one != other


@pytest.mark.parametrize("players", PLAYERS)
def test_scenarios_that_differ_in_it_alone_become_the_same(players):
    assert play(players=players, right_difficulty=0.05) == play(EASY, players)
    assert play(EASY, players, right_difficulty=0.6) == played(players=players)


def test_games_of_several_difficulties_do_not_disturb_each_other():
    """Neither by the scenario, which is kept, nor by the engine, which is handed on."""
    seeds = (3, 4)
    expected = play(seeds=seeds), play(seeds=seeds, right_difficulty=0.05)
    for _ in range(2):
        assert (play(seeds=seeds), play(seeds=seeds, right_difficulty=0.05)) == expected


def test_none_plays_what_gfootball_plays():
    pair = Pair(EASY)
    pair.play(2, itertools.islice(purposeful_actions(2), 60))
    pair.close()


def test_a_picture_changes_nothing():
    config = football.Football(SCENARIO, right_difficulty=0.05)
    games = config.make(), config.watch()
    observations = [config.spec.new_observation() for _ in games]
    for game, observation in zip(games, observations, strict=True):
        game.reset(3, observation)
        for action in itertools.islice(purposeful_actions(3), 60):
            game.step(action, observation)
        game.close()
    assert observations[0].tobytes() == observations[1].tobytes()


@pytest.mark.parametrize("side", ["left_difficulty", "right_difficulty"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "hard", True])
def test_what_is_no_difficulty_is_refused(side, value):
    with pytest.raises(errors.ConfigError, match=rf"Football.{side} = .*must be .*0"):
        football.Football("academy_corner", **{side: value})
