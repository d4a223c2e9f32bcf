"""gfootball's super mini map as pixel positions: a pure function of where everyone stands.

The positions decode to exactly the image of
`gfootball.env.observation_preprocessing.generate_smm`, whose planes are the left team, the
right team, the ball and the active player.
"""

import functools
import struct
from collections.abc import Iterable

import numpy as np

from hts_tf import specs
from hts_tf.environments.football.scenario import MAX_TEAM_SIZE
from hts_tf.environments.football.sides import Point, Side

WIDTH = 96
HEIGHT = 72

_PLANES = (0,) * MAX_TEAM_SIZE + (1,) * MAX_TEAM_SIZE + (2, 3)

# The pitch in engine coordinates: x from -1 to 1, y from -1 / 2.25 to 1 / 2.25.
_Y_MIN = -1.0 / 2.25
_Y_EXTENT = 1.0 / 2.25 - _Y_MIN

# The bytes of one frame: its positions as uint16.
_FRAME = struct.Struct(f"={len(_PLANES)}H")


def spec(frames: int) -> specs.PixelMapSpec:
    """Describes `frames` stacked super mini maps.

    Args:
      frames: how many, at least 1.

    Returns:
      The spec of arrays [frames, 24] uint16; the columns are 11 left players, 11 right players,
      the ball and the active player.
    """
    return specs.PixelMapSpec(
        shape=(frames, len(_PLANES)), dtype="uint16", height=HEIGHT, width=WIDTH, planes=_PLANES
    )


def encode(side: Side) -> list[bytes]:
    """Finds the pixels of one frame, for each controlled player.

    Args:
      side: whose players they are.

    Returns:
      Of each, the bytes of 24 uint16, see `pixels`.
    """
    found = pixels(*side.positions(), side.ball(), side.active)
    return [_FRAME.pack(*positions) for positions in found]


def pixels(
    left_team: Iterable[Point], right_team: Iterable[Point], ball: Point, active: Iterable[int]
) -> list[list[int]]:
    """Finds the pixels of one frame, for each controlled player.

    Args:
      left_team: (x, y) of each left player, in engine coordinates; at most 11.
      right_team: the same for the right team.
      ball: (x, y) of the ball.
      active: index into `left_team` of each controlled player, or -1 for nobody.

    Returns:
      Of each, 24 positions `y * WIDTH + x`. `NO_PIXEL` stands for an absent player, for no active
      player, and for a player on the same pixel as an earlier one of the same team, because
      no plane may hold a position twice.
    """
    left = [_pixel(x, y) for x, y in left_team]
    right = [_pixel(x, y) for x, y in right_team]
    seen_by_all = [*_without_repeats(left), *_without_repeats(right), _pixel(*ball)]
    no_pixel = specs.PixelMapSpec.NO_PIXEL
    return [[*seen_by_all, no_pixel if index == -1 else left[index]] for index in active]


def to_image(positions: np.ndarray) -> np.ndarray:
    """Decodes frames into the image that gfootball's wrappers make of them.

    Args:
      positions: [frames, 24] uint16, oldest frame first.

    Returns:
      [72, 96, 4 * frames] uint8, 255 where there is a pixel; a frame's channels are those of
      gfootball, frames follow one another.
    """
    channels, offsets = _channels(len(positions))
    image = np.zeros(HEIGHT * WIDTH * channels, np.uint8)
    places = positions.astype(np.intp) * channels + offsets  # NumPy 1 would multiply in uint16
    image[places[positions != specs.PixelMapSpec.NO_PIXEL]] = 255
    return image.reshape(HEIGHT, WIDTH, channels)


@functools.cache
def _channels(frames: int) -> tuple[int, np.ndarray]:
    """Returns how many there are, and that of each position: [frames, 24]."""
    planes = max(_PLANES) + 1
    return frames * planes, np.arange(frames)[:, np.newaxis] * planes + np.array(_PLANES)


def _pixel(x: float, y: float) -> int:
    # The same operations in the same order as gfootball's, as rounding must agree to the bit.
    # (Its division of x + 1 by 2 is exact, so that one can be part of the factor.)
    column = int((x + 1.0) * (WIDTH / 2))
    row = int((y - _Y_MIN) / _Y_EXTENT * HEIGHT)
    # Whoever leaves the pitch stays visible at its edge.
    if not 0 <= column < WIDTH:
        column = 0 if column < 0 else WIDTH - 1
    if not 0 <= row < HEIGHT:
        row = 0 if row < 0 else HEIGHT - 1
    return row * WIDTH + column


def _without_repeats(pixels: list[int]) -> list[int]:
    absent = [specs.PixelMapSpec.NO_PIXEL] * (MAX_TEAM_SIZE - len(pixels))
    if len(set(pixels)) == len(pixels):  # nearly always
        return pixels + absent
    unique: list[int] = []
    for pixel in pixels:
        unique.append(specs.PixelMapSpec.NO_PIXEL if pixel in unique else pixel)
    return unique + absent
