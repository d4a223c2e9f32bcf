"""A match as one player sees it: 217 floats, most of them relative to where the player is.

What the strongest public agents of gfootball's competitions used, in our own layout: positions and
motions relative to the player, team mates and opponents nearest first, roles, tiredness, sticky
actions. Nearest first, so that what is learnt of a neighbour holds for whoever is the neighbour.
"""

from typing import TYPE_CHECKING

import numpy as np

from hts_tf import specs
from hts_tf.environments.football.sides import NUM_STICKY, Side

if TYPE_CHECKING:
    import gfootball_engine

_MATES, _OPPONENTS = 10, 11
_ROLES = 10
_GAME_MODES = 7
_SPEED = 50.0  # motions per env step are small: a sprint is some 0.01 of half a pitch
_GOALS = 3.0  # goal differences up to so many can be told apart
_NEIGHBOUR = 8  # numbers of each
_OWN = 7 + _ROLES + NUM_STICKY
_BALL = 13
_GAME = _GAME_MODES + 2
SIZE = _OWN + _BALL + _GAME + _NEIGHBOUR * (_MATES + _OPPONENTS)

# Columns of a team's numbers.
_POSITION, _MOTION, _TIRED, _CARD, _THERE, _ROLE = slice(0, 2), slice(2, 4), 4, 5, 6, 7


def spec(frames: int) -> specs.ArraySpec:
    """Describes `frames` of them, one after the other.

    Args:
      frames: how many, at least 1.
    """
    return specs.ArraySpec(shape=(frames * SIZE,), dtype="float32")


def encode(side: Side) -> list[bytes]:
    """Finds the floats of one frame, for each controlled player.

    Args:
      side: whose players they are.

    Returns:
      Of each, the bytes of 217 float32, x along the pitch from -1 to 1 (the goal to play to), y
      across from -0.42 to 0.42, motions in fiftieths of that per env step:
      - the player, 27: x, y; its motion; how tired it is, 0 to 1; whether it has a yellow card;
        whether it is on the pitch; its role, one-hot of 10; its sticky actions: 8 directions,
        sprint, dribble;
      - the ball, 13: x, y, height; its motion in these; x, y relative to the player, and how far
        that is; who has it: nobody, the player's team, the other one; and whether the player has;
      - the game, 9: its mode, one-hot of 7; the goal difference over 3, from -1 to 1; the part of
        the time that is left;
      - 10 team mates, then 11 opponents, 8 each, the nearest first: x, y relative to the player,
        and how far that is; the motion; how tired; whether it has the ball; 1. All 0 for those who
        are not there.
      All 0 but ball and game for a player that controls nobody.
    """
    own, others = _team(side, side.own), _team(side, side.others)
    active = np.array(side.active)
    is_there = active >= 0
    me = np.where(is_there[:, None], own[active], 0.0)
    ball = _ball(side)
    game = _game(side)
    has_ball = np.array([side.has_ball(player) for player in side.active])
    to_ball = (ball[:2] - me[:, _POSITION]) * is_there[:, None]
    columns = [
        me[:, :_ROLE],
        (me[:, _ROLE, None] == np.arange(_ROLES)) & is_there[:, None],
        [side.sticky(index) for index in range(len(active))],
        np.tile(ball[:6], (len(active), 1)),
        to_ball,
        _length(to_ball)[:, None],
        np.tile(ball[6:], (len(active), 1)),
        has_ball[:, None],
        np.tile(game, (len(active), 1)),
        _neighbours(side, own, 0, me, active, _MATES),
        _neighbours(side, others, 1, me, np.full(len(active), -1), _OPPONENTS),
    ]
    # The rounding is numpy's: the same whichever and how many players are encoded together.
    rows = np.concatenate(columns, axis=1).astype(np.float32)
    rows[:, _OWN + _BALL + _GAME :] *= is_there[:, None]
    return [row.tobytes() for row in rows]


def _team(side: Side, team: "gfootball_engine.PlayerInfoVec") -> np.ndarray:
    """Returns [n, 8]: position, motion, tiredness, yellow card, on the pitch, role."""
    turn = 1.0 if side.is_left else -1.0
    rows = []
    for index in range(len(team)):
        player = team[index]
        position, direction = player.position, player.direction
        rows.append(
            (
                turn * position[0],
                turn * position[1],
                turn * direction[0] * _SPEED,
                turn * direction[1] * _SPEED,
                player.tired_factor,
                player.has_card,
                player.is_active,
                int(player.role),
            )
        )
    return np.array(rows, np.float64)


def _ball(side: Side) -> np.ndarray:
    """Returns [9]: position, motion, and who has it."""
    turn = 1.0 if side.is_left else -1.0
    position, direction = side.info.ball_position, side.info.ball_direction
    return np.array(
        [
            turn * position[0],
            turn * position[1],
            position[2],
            turn * direction[0] * _SPEED,
            turn * direction[1] * _SPEED,
            direction[2] * _SPEED,
            *(side.ball_owner == team for team in (-1, 0, 1)),
        ],
        np.float64,
    )


def _game(side: Side) -> np.ndarray:
    info = side.info
    lead = info.left_goals - info.right_goals
    lead = (lead if side.is_left else -lead) / _GOALS
    mode = int(info.game_mode)
    left = 1.0 - info.step / max(side.match.rules.game_duration, 1)
    return np.array(
        [*(mode == index for index in range(_GAME_MODES)), max(-1.0, min(1.0, lead)), left]
    )


def _neighbours(
    side: Side, team: np.ndarray, number: int, me: np.ndarray, myself: np.ndarray, count: int
) -> np.ndarray:
    """Returns [A, 8 * count] of a team's players, for each of A players.

    Args:
      side: whose the players are.
      team: [n, 8], see `_team`.
      number: 0 for the own team, 1 for the other.
      me: [A, 8], the players.
      myself: [A], their indices in the team, -1 for those who are not in it.
      count: how many to return, zeros if there are fewer.
    """
    num_players = len(myself)
    relative = team[None, :, _POSITION] - me[:, None, _POSITION]
    distance = _length(relative)
    is_owner = np.zeros(len(team))
    if side.ball_owner == number:
        is_owner[side.info.ball_owned_player] = 1.0
    shape = (num_players, len(team), 1)
    numbers = np.concatenate(
        [
            relative,
            distance[..., None],
            np.broadcast_to(team[:, _MOTION], (*shape[:2], 2)),
            np.broadcast_to(team[:, _TIRED, None], shape),
            np.broadcast_to(is_owner[:, None], shape),
            np.ones(shape),
        ],
        axis=2,
    )
    absent = np.broadcast_to(team[:, _THERE] == 0, shape[:2]).copy()
    in_team = np.flatnonzero(myself >= 0)
    absent[in_team, myself[in_team]] = True
    numbers[absent] = 0.0
    order = np.argsort(np.where(absent, np.inf, distance), axis=1, kind="stable")[:, :count]
    nearest = np.zeros((num_players, count, _NEIGHBOUR))
    nearest[:, : order.shape[1]] = np.take_along_axis(numbers, order[..., None], axis=1)
    return nearest.reshape(num_players, -1)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(vectors[..., 0] ** 2 + vectors[..., 1] ** 2)
