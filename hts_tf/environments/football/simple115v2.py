"""gfootball's `simple115v2`: a football match as 115 floats.

Equal to the bit to `gfootball.env.wrappers.Simple115StateWrapper.convert_observation` with
`fixed_positions=True`.
"""

import struct
from typing import TYPE_CHECKING

from hts_tf import specs

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


def encode(info: "gfootball_engine.SharedInfo") -> bytes:
    """Finds the floats of one frame.

    Args:
      info: the engine's state.

    Returns:
      The bytes of 115 float32: x and y of the left team's 11 players; x and y of how far each of
      them moves in a step; both for the right team; x, y and z of the ball, and of how it moves;
      one-hot: who has the ball (nobody, left, right), the agent's player among 11, and the game
      mode among 7. -1 stands for players that a team does not have.
    """
    ball, ball_direction = info.ball_position, info.ball_direction
    active = info.left_controllers[0].controlled_player  # -1: none
    mode = int(info.game_mode)
    return _FLOATS.pack(
        *_team(info.left_team),
        *_team(info.right_team),
        *(ball[0], ball[1], ball[2]),
        *(ball_direction[0], ball_direction[1], ball_direction[2]),
        *(info.ball_owned_team == team for team in (-1, 0, 1)),
        *(active == index for index in range(_TEAM_SIZE)),
        *(mode == index for index in range(_GAME_MODES)),
    )


def _team(team: "gfootball_engine.PlayerInfoVec") -> list[float]:
    """Returns where all players stand, then where all of them move."""
    positions: list[float] = []
    directions: list[float] = []
    # By index: iteration ends with a C++ exception, which costs more than the players do.
    for index in range(len(team)):
        player = team[index]
        position, direction = player.position, player.direction
        positions += position[0], position[1]
        directions += direction[0], direction[1]
    absent = [-1.0] * (2 * _TEAM_SIZE - len(positions))
    return [*positions, *absent, *directions, *absent]
