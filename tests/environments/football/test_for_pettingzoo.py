import warnings

import numpy as np
import pytest

pytest.importorskip("pettingzoo")

from football_pair import make_stock, reset_stock
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.utils import parallel_to_aec

import hts_tf.football
from hts_tf import errors

TEAMS = {"left_players": 3, "right_players": 1}


def make(scenario="academy_3_vs_1_with_keeper", **arguments):
    return hts_tf.football.parallel_env(scenario, **{**TEAMS, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [
        {"representation": "extracted"},
        {"representation": "positions"},
        {"representation": "simple115v2"},
        {"representation": "relative"},
        {"left_players": 1, "right_players": 0},
        {"left_players": 0, "right_players": 2},
    ],
    ids=str,
)
def test_passes_pettingzoos_tests(arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(make(**arguments), num_cycles=60)
    parallel_seed_test(lambda: make(**arguments))


def test_passes_pettingzoos_test_of_agents_that_take_turns():
    api_test(parallel_to_aec(make()), num_cycles=60)


def test_plays_what_gfootball_plays():
    ours = make()
    stock = make_stock(
        "academy_3_vs_1_with_keeper", "scoring,checkpoints", False, "simple115v2", 3, 1
    )
    random = np.random.default_rng(0)
    for seed in range(3):
        seen, infos = ours.reset(seed=seed)
        assert infos["left_0"] == {"seed": seed}
        infos["left_0"]["of its own"] = True
        assert infos["left_1"] == {"seed": seed}
        np.testing.assert_array_equal(np.stack(list(seen.values())), reset_stock(stock, seed))
        while ours.agents:
            actions = random.integers(19, size=4)
            seen, rewards, terminated, truncated, infos = ours.step(
                dict(zip(ours.agents, actions, strict=True))
            )
            stock_seen, stock_rewards, done, info = stock.step(actions)
            np.testing.assert_array_equal(np.stack(list(seen.values())), stock_seen)
            np.testing.assert_array_equal(np.float32(list(rewards.values())), stock_rewards)
            assert infos["right_0"]["score"] == -info["score_reward"]
            assert all(terminated[agent] or truncated[agent] for agent in seen) == done
    assert ours.state().flags.writeable
    np.testing.assert_array_equal(ours.state(), seen["left_0"])
    ours.close()
    stock.close()


def test_agents_and_pictures():
    environment = make(render_mode="rgb_array")
    assert environment.possible_agents == ["left_0", "left_1", "left_2", "right_0"]
    environment.reset(seed=1)
    height, width, channels = environment.render().shape
    assert (width, channels) == (944, 3)
    assert height > 640, "what the players do is below the pitch"
    environment.close()


def test_out_of_turn():
    environment = make(render_mode="rgb_array")
    for ask in (environment.state, environment.render):
        with pytest.raises(RuntimeError, match="no episode has begun"):
            ask()
    with pytest.raises(RuntimeError, match="no running episode"):
        environment.step({})
    environment.reset(seed=1)
    with pytest.raises(ValueError, match="'left_1' has no action"):
        environment.step({"left_0": 0})
    environment.close()
    with pytest.raises(RuntimeError, match="no episode has begun"):
        environment.render()
    assert make().render() is None


def test_players_that_there_are_not():
    with pytest.raises(errors.ConfigError, match="has 4 players to control in its left team"):
        make(left_players=7)
