"""gfootball's `simple115v2`: a football match as 115 floats.

Equal to the bit to `gfootball.env.wrappers.Simple115StateWrapper.convert_observation` with
`fixed_positions=True`.
"""

import struct
from typing import TYPE_CHECKING

from hts_tf import specs
from hts_tf.environments.football.sides import Side

if TYPE_CHECKING:
    import gfootball_engine

_TEAM_SIZE = 11
_GAME_MODES = 7
_SIZE = 115

_FLOATS = struct.Struct(f"={_SIZE}f")


def spec(frames: int) -> specs.ArraySpec:
    """Describes `frames` of them, one after the other.

    Args:
      frames: how many, at least 1.
    """
    return specs.ArraySpec(shape=(frames * _SIZE,), dtype="float32")


def encode(side: Side) -> list[bytes]:
    """Finds the floats of one frame, for each controlled player.

    Args:
      side: whose players they are.

    Returns:
      Of each, the bytes of 115 float32: x and y of the left team's 11 players; x and y of how far
      each of them moves in a step; both for the right team; x, y and z of the ball, and of how it
      moves; one-hot: who has the ball (nobody, left, right), the controlled player among 11, and
      the game mode among 7. -1 stands for players that a team does not have.
    """
    turn = side.turn
    ball, ball_direction = side.info.ball_position, side.info.ball_direction
    mode = int(side.info.game_mode)
    seen_by_all = [
        *_team(side.own, turn),
        *_team(side.others, turn),
        *(turn * ball[0], turn * ball[1], ball[2]),
        *(turn * ball_direction[0], turn * ball_direction[1], ball_direction[2]),
        *(side.ball_owner == team for team in (-1, 0, 1)),
    ]
    modes = [mode == index for index in range(_GAME_MODES)]
    return [
        _FLOATS.pack(*seen_by_all, *(active == index for index in range(_TEAM_SIZE)), *modes)
        for active in side.active
    ]


def _team(team: "gfootball_engine.PlayerInfoVec", turn: float) -> list[float]:
    """Returns where all players stand, then where all of them move; turned if that is -1."""
    positions: list[float] = []
    directions: list[float] = []
    # By index: iteration ends with a C++ exception, which costs more than the players do.
    for index in range(len(team)):
        player = team[index]
        position, direction = player.position, player.direction
        positions += turn * position[0], turn * position[1]
        directions += turn * direction[0], turn * direction[1]
    absent = [-1.0] * (2 * _TEAM_SIZE - len(positions))
    return [*positions, *absent, *directions, *absent]
