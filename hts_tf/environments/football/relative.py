"""A match as one player sees it: 217 floats, most of them relative to where the player is.

What the strongest public agents of gfootball's competitions used, in our own layout: positions and
motions relative to the player, team mates and opponents nearest first, roles, tiredness, sticky
actions. Nearest first, so that what is learnt of a neighbour holds for whoever is the neighbour.
"""

import math
from array import array

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

_ONE_HOT_ROLE = [[float(i == role) for i in range(_ROLES)] for role in (*range(_ROLES), -1)]

_Player = tuple[float, float, tuple[float, ...]]  # see `_team`
_ON_PITCH = 4
_NOBODY = 0.0, 0.0, (0.0,) * 5


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
        the time that is left (1 after the first env step, a step more before it);
      - 10 team mates, then 11 opponents, 8 each, the nearest first: x, y relative to the player,
        and how far that is; the motion; how tired; whether it has the ball; 1. All 0 for those who
        are not there.
      All 0 but sticky actions, ball and game for a player that controls nobody.
    """
    own, others = _team(side, 0), _team(side, 1)
    ball, game = _ball(side), _game(side)
    owners = [side.ball_owner == team for team in (-1, 0, 1)]
    frames = []
    # So few numbers take Python less time than numpy, whose calls are what costs.
    for index, player in enumerate(side.active):
        is_there = player != -1
        x, y, (*motion, tired, _, on_pitch) = own[player] if is_there else _NOBODY
        card, role, to_ball_x, to_ball_y = False, -1, 0.0, 0.0
        if is_there:
            me = side.own[player]
            card, role = me.has_card, int(me.role)
            to_ball_x, to_ball_y = ball[0] - x, ball[1] - y
        numbers = [
            *(x, y, *motion, tired, card, on_pitch),
            *_ONE_HOT_ROLE[role],
            *side.sticky(index),
            *ball,
            *(to_ball_x, to_ball_y, math.sqrt(to_ball_x * to_ball_x + to_ball_y * to_ball_y)),
            *owners,
            side.has_ball(player),
            *game,
        ]
        if is_there:
            _add_nearest(numbers, x, y, own[:player] + own[player + 1 :], _MATES)
            _add_nearest(numbers, x, y, others, _OPPONENTS)
        else:
            numbers += [0.0] * (SIZE - _HEAD)
        frames.append(array("f", numbers).tobytes())
    return frames


def _team(side: Side, number: int) -> list[_Player]:
    """Returns where players of the own (0) or other (1) team are, and what is shown of each.

    That is motion, tiredness, and whether it has the ball and is on the pitch.
    """
    team = (side.own, side.others)[number]
    turn = side.turn
    speed = turn * _SPEED
    owner = side.info.ball_owned_player if side.ball_owner == number else -1
    players = []
    # By index: iteration ends with a C++ exception, which costs more than the players do.
    for index in range(len(team)):
        player = team[index]
        position, direction = player.position, player.direction
        motion = direction[0] * speed, direction[1] * speed
        shown = (*motion, player.tired_factor, float(index == owner), float(player.is_active))
        players.append((turn * position[0], turn * position[1], shown))
    return players


def _add_nearest(numbers: list[float], x: float, y: float, team: list[_Player], most: int) -> None:
    """Adds those of some players who are on the pitch, the nearest to a place first, then zeros.

    Args:
      numbers: to add to.
      x: of the place.
      y: of the place.
      team: the players, see `_team`.
      most: how many there may be.
    """
    near = []
    for index, (its_x, its_y, shown) in enumerate(team):
        if shown[_ON_PITCH]:
            dx, dy = its_x - x, its_y - y
            near.append((math.sqrt(dx * dx + dy * dy), index, dx, dy, shown))
    near.sort()  # by index where as near
    for distance, _, dx, dy, shown in near[:most]:
        numbers += (dx, dy, distance)
        numbers += shown
    numbers += [0.0] * (_NEIGHBOUR * max(0, most - len(near)))


def _ball(side: Side) -> list[float]:
    """Returns position and motion of the ball."""
    turn = side.turn
    position, direction = side.info.ball_position, side.info.ball_direction
    return [
        turn * position[0],
        turn * position[1],
        position[2],
        turn * direction[0] * _SPEED,
        turn * direction[1] * _SPEED,
        direction[2] * _SPEED,
    ]


def _game(side: Side) -> list[float]:
    """Returns its mode, the goal difference, and the time that is left."""
    info = side.info
    lead = info.left_goals - info.right_goals
    lead = (lead if side.is_left else -lead) / _GOALS
    mode = int(info.game_mode)
    left = 1.0 - info.step / max(side.match.rules.game_duration, 1)
    return [*(mode == index for index in range(_GAME_MODES)), max(-1.0, min(1.0, lead)), left]
