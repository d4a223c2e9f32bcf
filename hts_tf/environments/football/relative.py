"""A match as one player sees it: 217 floats, most of them relative to where the player is.

What the strongest public agents of gfootball's competitions used, in our own layout: positions and
motions relative to the player, team mates and opponents nearest first, roles, tiredness, sticky
actions. Nearest first, so that what is learnt of a neighbour holds for whoever is the neighbour.
"""

import math
from collections.abc import Sequence

import numpy as np

from hts_tf import specs
from hts_tf.environments.football.sides import NUM_STICKY, Side

_MATES, _OPPONENTS = 10, 11
_ROLES = 10
_GAME_MODES = 7
_SPEED = 50.0  # motions per env step are small: a sprint is some 0.01 of half a pitch
_GOALS = 3.0  # goal differences up to so many can be told apart
_NEIGHBOUR = 8  # numbers of each
_OWN = 7 + _ROLES + NUM_STICKY
_BALL = 13
_GAME = _GAME_MODES + 2
_HEAD = _OWN + _BALL + _GAME
SIZE = _HEAD + _NEIGHBOUR * (_MATES + _OPPONENTS)

# What is read of each player, see `_players`.
_POSITION, _SHOWN, _THERE = slice(0, 2), slice(2, 7), 6
_NOBODY = (0.0,) * 7

_Numbers = tuple[float, ...]


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
    players, cards, roles = _players(side)
    rows = np.zeros((len(side.active), SIZE), np.float32)
    # Doubles are rounded here: the same whichever and how many players are encoded together.
    rows[:, :_HEAD] = _heads(side, players, cards, roles)
    _write_neighbours(rows[:, _HEAD:], players, len(side.own), side.active)
    return [row.tobytes() for row in rows]


def _players(side: Side) -> tuple[list[_Numbers], list[bool], list[int]]:
    """Returns numbers of all players, the own team first, whether they have cards, and roles.

    The numbers are position, motion, tiredness, and whether it has the ball and is on the pitch.
    """
    turn = 1.0 if side.is_left else -1.0
    players, cards, roles = [], [], []
    for number, team in enumerate((side.own, side.others)):
        owner = side.info.ball_owned_player if side.ball_owner == number else -1
        # By index: iteration ends with a C++ exception, which costs more than the players do.
        for index in range(len(team)):
            player = team[index]
            position, direction = player.position, player.direction
            players.append(
                (
                    turn * position[0],
                    turn * position[1],
                    turn * direction[0] * _SPEED,
                    turn * direction[1] * _SPEED,
                    player.tired_factor,
                    float(index == owner),
                    float(player.is_active),
                )
            )
            cards.append(player.has_card)
            roles.append(int(player.role))
    return players, cards, roles


def _heads(
    side: Side, players: Sequence[_Numbers], cards: Sequence[bool], roles: Sequence[int]
) -> list[list[float]]:
    """Returns what each controlled player sees but for its neighbours, 49 numbers.

    So few numbers take Python less time than numpy, whose calls are what costs.
    """
    ball, owners = _ball(side)
    game = _game(side)
    heads = []
    for index, player in enumerate(side.active):
        is_there = player != -1
        x, y, *motion, tired, _, on_pitch = players[player] if is_there else _NOBODY
        card, role = (cards[player], roles[player]) if is_there else (False, -1)
        to_ball = (ball[0] - x) * is_there, (ball[1] - y) * is_there
        heads.append(
            [
                *(x, y, *motion, tired, card, on_pitch),
                *(role == number for number in range(_ROLES)),
                *side.sticky(index),
                *ball,
                *(*to_ball, math.sqrt(to_ball[0] * to_ball[0] + to_ball[1] * to_ball[1])),
                *owners,
                side.has_ball(player),
                *game,
            ]
        )
    return heads


def _ball(side: Side) -> tuple[list[float], list[bool]]:
    """Returns position and motion of the ball; and who has it, of nobody and the teams."""
    turn = 1.0 if side.is_left else -1.0
    position, direction = side.info.ball_position, side.info.ball_direction
    ball = [
        turn * position[0],
        turn * position[1],
        position[2],
        turn * direction[0] * _SPEED,
        turn * direction[1] * _SPEED,
        direction[2] * _SPEED,
    ]
    return ball, [side.ball_owner == team for team in (-1, 0, 1)]


def _game(side: Side) -> list[float]:
    """Returns its mode, the goal difference, and the time that is left."""
    info = side.info
    lead = info.left_goals - info.right_goals
    lead = (lead if side.is_left else -lead) / _GOALS
    mode = int(info.game_mode)
    left = 1.0 - info.step / max(side.match.rules.game_duration, 1)
    return [*(mode == index for index in range(_GAME_MODES)), max(-1.0, min(1.0, lead)), left]


def _write_neighbours(
    rows: np.ndarray, players: Sequence[_Numbers], num_own: int, active: Sequence[int]
) -> None:
    """Writes what the controlled players see of the others.

    Args:
      rows: [A, 8 * 21] zeros, of A controlled players.
      players: see `_players`.
      num_own: how many of them are the own team's.
      active: [A], which the controlled ones are; -1 for nobody.
    """
    everyone = np.array(players)
    me = np.array([players[player][_POSITION] if player != -1 else (0.0, 0.0) for player in active])
    numbers = np.empty((len(active), len(players), _NEIGHBOUR))
    relative = np.subtract(everyone[:, _POSITION], me[:, None], out=numbers[:, :, :2])
    squares = relative * relative
    distance = np.sqrt(squares[:, :, 0] + squares[:, :, 1])
    numbers[:, :, 2] = distance
    numbers[:, :, 3:] = everyone[:, _SHOWN]
    for index, player in enumerate(active):
        if player != -1:  # nobody is a neighbour of its own
            numbers[index, player] = 0.0
            distance[index, player] = np.inf
    for player, shown in enumerate(players):
        if not shown[_THERE]:
            numbers[:, player] = 0.0
            distance[:, player] = np.inf
    each = np.arange(len(active))[:, None]
    column = 0
    for team, most in ((slice(0, num_own), _MATES), (slice(num_own, None), _OPPONENTS)):
        order = distance[:, team].argsort(axis=1, kind="stable")[:, :most]
        nearest = numbers[:, team][each, order].reshape(len(active), -1)
        rows[:, column : column + nearest.shape[1]] = nearest
        column += most * _NEIGHBOUR
    for index, player in enumerate(active):
        if player == -1:
            rows[index] *= 0.0
