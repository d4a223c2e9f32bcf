import math
import types

import numpy as np
import pytest
from football_pair import purposeful_actions
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.environments import checked
from hts_tf.environments.football import relative, sides
from hts_tf.environments.football.football import Football

COORDINATE = st.floats(-1, 1, width=32)
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE)
PLAYER = st.builds(
    types.SimpleNamespace,
    position=POINT,
    direction=POINT,
    tired_factor=st.floats(0, 1, width=32),
    has_card=st.booleans(),
    is_active=st.sampled_from([True, True, True, False]),
    role=st.integers(0, 9),
)
TEAM = st.lists(PLAYER, min_size=1, max_size=11)
DURATION = 400


class Match:
    """What sides ask a match."""

    rules = types.SimpleNamespace(game_duration=DURATION)

    def __init__(self, sticky):
        self._sticky = sticky

    def sticky(self, is_left, index):
        return self._sticky


@st.composite
def scenes(draw):
    left, right = draw(TEAM), draw(TEAM)
    owner = draw(st.sampled_from([-1, 0, 1]))
    team = (left, right)[owner]
    active = draw(st.lists(st.integers(-1, len(left) - 1), min_size=1, max_size=4))
    info = types.SimpleNamespace(
        left_team=left,
        right_team=right,
        ball_position=draw(POINT),
        ball_direction=draw(POINT),
        ball_owned_team=owner,
        ball_owned_player=-1 if owner == -1 else draw(st.integers(0, len(team) - 1)),
        left_controllers=[types.SimpleNamespace(controlled_player=index) for index in active],
        left_goals=draw(st.integers(0, 5)),
        right_goals=draw(st.integers(0, 5)),
        game_mode=draw(st.integers(0, 6)),
        step=draw(st.integers(0, DURATION)),
    )
    sticky = draw(st.lists(st.booleans(), min_size=10, max_size=10))
    return info, active, sticky


def literally(info, active, sticky):
    """The documentation of `relative.encode`, word by word, for a player of the left team."""
    me = info.left_team[active] if active >= 0 else None
    x, y = me.position[:2] if me else (0.0, 0.0)
    found = []
    if me:
        found += [x, y, me.direction[0] * 50, me.direction[1] * 50, me.tired_factor]
        found += [me.has_card, me.is_active, *(me.role == role for role in range(10))]
    else:
        found += [0] * 17
    found += sticky
    ball = info.ball_position
    found += [*ball, *(50 * number for number in info.ball_direction)]
    away = (ball[0] - x, ball[1] - y) if me else (0.0, 0.0)
    found += [*away, math.hypot(*away)]
    found += [info.ball_owned_team == team for team in (-1, 0, 1)]
    found += [info.ball_owned_team == 0 and info.ball_owned_player == active]
    found += [info.game_mode == mode for mode in range(7)]
    found += [max(-1, min(1, (info.left_goals - info.right_goals) / 3))]
    found += [1 - info.step / DURATION]
    for number, (team, count) in enumerate([(info.left_team, 10), (info.right_team, 11)]):
        neighbours = []
        for index, player in enumerate(team):
            if not me or not player.is_active or (number == 0 and index == active):
                continue
            away = player.position[0] - x, player.position[1] - y
            has_ball = info.ball_owned_team == number and info.ball_owned_player == index
            motion = player.direction[0] * 50, player.direction[1] * 50
            neighbours.append([*away, math.hypot(*away), *motion, player.tired_factor, has_ball, 1])
        neighbours.sort(key=lambda numbers: numbers[2])
        neighbours += [[0] * 8] * count
        found += [number for neighbour in neighbours[:count] for number in neighbour]
    return found


@settings(max_examples=80, deadline=None)
@given(scenes())
def test_numbers_are_what_the_documentation_says(scene):
    info, active, sticky = scene
    rows = relative.encode(sides.left(info, len(active), Match(sticky)))
    assert len(rows) == len(active)
    for row, player in zip(rows, active, strict=True):
        numbers = np.frombuffer(row, np.float32)
        expected = literally(info, player, sticky)
        assert len(expected) == relative.SIZE == len(numbers)
        # Of neighbours at the same distance the order is the team's; floats may see a difference.
        np.testing.assert_allclose(np.sort(numbers), np.sort(expected), atol=1e-5)
        np.testing.assert_allclose(numbers[:49], expected[:49], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(scenes())
def test_players_do_not_influence_each_other(scene):
    info, active, sticky = scene
    together = relative.encode(sides.left(info, len(active), Match(sticky)))
    for index, row in enumerate(together):
        alone = types.SimpleNamespace(**vars(info))
        alone.left_controllers = info.left_controllers[index : index + 1]
        assert relative.encode(sides.left(alone, 1, Match(sticky))) == [row]


def turned(info):
    """The same match, seen from the other side of the pitch."""

    def turn(player):
        return types.SimpleNamespace(
            **{
                **vars(player),
                "position": tuple(-number for number in player.position),
                "direction": tuple(-number for number in player.direction),
            }
        )

    ball, motion = info.ball_position, info.ball_direction
    return types.SimpleNamespace(
        left_team=[turn(player) for player in info.right_team],
        right_team=[turn(player) for player in info.left_team],
        ball_position=(-ball[0], -ball[1], ball[2]),
        ball_direction=(-motion[0], -motion[1], motion[2]),
        ball_owned_team=info.ball_owned_team
        if info.ball_owned_team < 0
        else 1 - info.ball_owned_team,
        ball_owned_player=info.ball_owned_player,
        right_controllers=info.left_controllers,
        left_goals=info.right_goals,
        right_goals=info.left_goals,
        game_mode=info.game_mode,
        step=info.step,
    )


@settings(max_examples=40, deadline=None)
@given(scenes())
def test_the_right_side_sees_what_the_left_one_would(scene):
    info, active, sticky = scene
    left = relative.encode(sides.left(info, len(active), Match(sticky)))
    sticky = [*sticky[4:8], *sticky[:4], *sticky[8:]]
    right = relative.encode(sides.right(turned(info), len(active), Match(sticky)))
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(
            np.frombuffer(one, np.float32), np.frombuffer(other, np.float32)
        )


@pytest.mark.parametrize("frames", [1, 3])
def test_on_the_real_engine(frames):
    config = Football(
        "5_vs_5", representation="relative", frames=frames, left_players=4, right_players=4
    )
    game, observation = checked.make(config), config.spec.new_observation()
    game.reset(2, observation)
    players = [purposeful_actions(p) for p in range(8)]
    for _ in range(40):
        result = game.step(np.array([next(player) for player in players]), observation)
        latest = observation[:, -relative.SIZE :]
        assert latest[:, 6].all()  # all are on the pitch
        assert latest[:, 7:17].sum(1).tolist() == [1] * 8  # and have a role
        assert (latest[:, 49 : 49 + 80].reshape(8, 10, 8)[..., 7].sum(1) == 4).all()
        assert (latest[:, 49 + 80 :].reshape(8, 11, 8)[..., 7].sum(1) == 5).all()
        if result.is_over:
            break
    sprint = np.zeros(8, int) + 13
    game.step(sprint, observation)
    assert observation[:, -relative.SIZE :][:, 25].all()
    game.close()
