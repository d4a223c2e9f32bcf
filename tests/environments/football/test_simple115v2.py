import itertools
import types

import numpy as np
import pytest
from football_pair import make_stock, purposeful_actions, reset_stock
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.environments.football import sides, simple115v2
from hts_tf.environments.football.football import Football

COORDINATE = st.floats(-2, 2, width=32)
PLAYER = st.builds(
    types.SimpleNamespace,
    position=st.tuples(COORDINATE, COORDINATE, COORDINATE),
    direction=st.tuples(COORDINATE, COORDINATE, COORDINATE),
)
TEAM = st.lists(PLAYER, min_size=1, max_size=11)
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE)


@settings(max_examples=40)
@given(
    left=TEAM,
    right=TEAM,
    ball=st.tuples(POINT, POINT),
    owner=st.sampled_from([-1, 0, 1]),
    active=st.integers(-1, 10),
    mode=st.integers(0, 6),
)
def test_numbers_equal_gfootballs(left, right, ball, owner, active, mode):
    from gfootball.env import wrappers

    stock = wrappers.Simple115StateWrapper.convert_observation(
        [
            {
                "left_team": np.array([player.position[:2] for player in left]),
                "left_team_direction": np.array([player.direction[:2] for player in left]),
                "right_team": np.array([player.position[:2] for player in right]),
                "right_team_direction": np.array([player.direction[:2] for player in right]),
                "ball": np.array(ball[0]),
                "ball_direction": np.array(ball[1]),
                "ball_owned_team": owner,
                "active": active,
                "game_mode": mode,
            }
        ],
        fixed_positions=True,
    )[0]
    info = types.SimpleNamespace(
        left_team=left,
        right_team=right,
        ball_position=ball[0],
        ball_direction=ball[1],
        ball_owned_team=owner,
        left_controllers=[types.SimpleNamespace(controlled_player=active)],
        game_mode=mode,
    )
    assert simple115v2.encode(sides.left(info, 1)) == [stock.tobytes()]


def compare(scenario, frames, seeds, actions, most_steps):
    """Plays both to the end of each episode, or for so many steps, to the bit."""
    ours = Football(scenario, "scoring", frames, "simple115v2").make()
    stock = make_stock(scenario, "scoring", stacked=frames > 1, representation="simple115v2")
    spec = simple115v2.spec(frames)
    observation = np.zeros(spec.shape, spec.dtype)
    for seed in seeds:
        ours.reset(seed, observation)
        assert reset_stock(stock, seed).tobytes() == observation.tobytes()
        for action in itertools.islice(actions(seed), most_steps):
            result = ours.step(action, observation)
            stock_observation, _, done, _ = stock.step(action)
            assert stock_observation.dtype == spec.dtype
            assert stock_observation.tobytes() == observation.tobytes()
            assert result.terminated + result.truncated == done
            if done:
                break
    ours.close()
    stock.close()


@pytest.mark.parametrize(
    ("scenario", "frames"),
    [
        ("academy_empty_goal_close", 1),
        ("academy_3_vs_1_with_keeper", 1),
        ("academy_corner", 1),
        ("academy_pass_and_shoot_with_keeper", 4),
    ],
)
def test_episodes_equal_gfootballs(scenario, frames):
    compare(scenario, frames, range(3), purposeful_actions, 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        "academy_3_vs_1_with_keeper",
        "academy_counterattack_hard",
        "academy_single_goal_versus_lazy",
        "1_vs_1_easy",
        "11_vs_11_stochastic",
    ],
)
def test_long_episodes_equal_gfootballs(scenario):
    compare(scenario, 1, [100], purposeful_actions, 1_000)


def test_set_pieces_equal_gfootballs():
    """The game mode and who has the ball change: an idle agent is made to kick off."""
    compare("11_vs_11_stochastic", 1, (0, 2), lambda seed: itertools.repeat(0), 60)
