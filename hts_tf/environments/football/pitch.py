"""A football pitch seen from above: pictures for people, drawn with Pillow alone."""

import functools
from typing import NamedTuple

from PIL import Image

from hts_tf.environments.football.pencil import (
    DARK,
    GRASS,
    HAS_BALL,
    LINES,
    SMOOTHING,
    WHITE,
    Pencil,
)

Point = tuple[float, float]

# Engine coordinates, in metres (gfootball_engine/src/defines.hpp); y grows downwards.
_METRES_X = 54.4
_METRES_Y = 83.6

# The pitch in metres, from its middle (gamedefines.hpp; markings by the laws of the game).
_HALF_LENGTH = 55.0
_HALF_WIDTH = 36.0
_HALF_GOAL = 3.7
_GOAL_DEPTH = 2.6
_MARGIN = 4.0

_PIXELS_PER_METRE = 8
_GRASS_STRIPE = (43, 92, 73)
_BALL_RADIUS = 0.75
_LEGEND_GAP = 2.2  # between its entries


class Scene(NamedTuple):
    """Where everyone stands, in engine coordinates: x from -1 to 1, y from -0.42 (top) to 0.42.

    Attributes:
      left_team: of each player; None of one who was sent off.
      right_team: of each player.
      ball: where it is.
      ball_height: in metres.
      left_active: indices of the players of the left team that are controlled; -1 for none.
      right_active: the same of the right team.
      ball_owner: who has the ball: 0 for the left team or 1 for the right one, and the player's
        index; -1 for nobody.
    """

    left_team: list[Point | None]
    right_team: list[Point | None]
    ball: Point
    ball_height: float
    left_active: list[int]
    right_active: list[int]
    ball_owner: tuple[int, int] = (-1, -1)


def draw(scene: Scene) -> Image.Image:
    """Draws a scene: 944 x 640 RGB."""
    shown = (
        bool(scene.left_active),
        len(scene.left_team) > len(scene.left_active),
        bool(scene.right_active),
        len(scene.right_team) > len(scene.right_active),
    )
    image = _empty_pitch(*shown).copy()
    pencil = _pencil(image)
    # Those who are controlled come last: nobody else covers them.
    for controlled in (False, True):
        for is_left, team, active in (
            (False, scene.right_team, scene.right_active),
            (True, scene.left_team, scene.left_active),
        ):
            for index, place in enumerate(team):
                if place is not None and (index in active) is controlled:
                    x, y = place
                    number = str(index + 1) if controlled else ""
                    has_ball = scene.ball_owner == (0 if is_left else 1, index)
                    pencil.player(x * _METRES_X, y * _METRES_Y, is_left, number, has_ball)
    x, y = scene.ball
    # The higher, the nearer to who looks down on it.
    radius = _BALL_RADIUS * (1 + max(scene.ball_height, 0.0) / 6)
    pencil.circle(x * _METRES_X, y * _METRES_Y, radius, WHITE)
    return image.reduce(SMOOTHING)


def _pencil(image: Image.Image) -> Pencil:
    return Pencil(image, _PIXELS_PER_METRE * SMOOTHING, (image.width / 2, image.height / 2))


@functools.cache
def _empty_pitch(left: bool, left_ai: bool, right: bool, right_ai: bool) -> Image.Image:
    """Draws the pitch, and a legend of who is on it: controlled players, and others, of a team."""
    size = [2 * (half + _MARGIN) for half in (_HALF_LENGTH, _HALF_WIDTH)]
    pixels = [round(metres * _PIXELS_PER_METRE * SMOOTHING) for metres in size]
    image = Image.new("RGB", (pixels[0], pixels[1]), GRASS)
    pencil = _pencil(image)
    stripe = 2 * _HALF_LENGTH / 10
    for index in range(0, 10, 2):
        x = -_HALF_LENGTH + index * stripe
        pencil.rectangle(x, -_HALF_WIDTH, x + stripe, _HALF_WIDTH, _GRASS_STRIPE)
    pencil.rectangle(-_HALF_LENGTH, -_HALF_WIDTH, _HALF_LENGTH, _HALF_WIDTH)
    pencil.line(0, -_HALF_WIDTH, 0, _HALF_WIDTH)
    pencil.circle(0, 0, 9.15, None, LINES)
    pencil.circle(0, 0, 0.3, LINES, LINES)
    for side in (-1, 1):
        goal_line = side * _HALF_LENGTH
        pencil.rectangle(goal_line, -20.16, goal_line - side * 16.5, 20.16)
        pencil.rectangle(goal_line, -9.16, goal_line - side * 5.5, 9.16)
        pencil.rectangle(goal_line, -_HALF_GOAL, goal_line + side * _GOAL_DEPTH, _HALF_GOAL)
        spot = goal_line - side * 11
        pencil.circle(spot, 0, 0.3, LINES, LINES)
        facing = 0 if side < 0 else 180  # the part of this circle outside the penalty area
        pencil.arc(spot, 0, 9.15, facing - 53, facing + 53)
    _legend(pencil, _HALF_WIDTH + _MARGIN / 2, left, left_ai, right, right_ai)
    return image


def _legend(
    pencil: Pencil, y: float, left: bool, left_ai: bool, right: bool, right_ai: bool
) -> None:
    x = -_HALF_LENGTH + 1.6

    def explain(text: str) -> None:
        nonlocal x
        pencil.text(x + 2.9, y, text)
        x += 2.9 + pencil.width(text) + _LEGEND_GAP + 2.1

    for side, who, controlled, others in (
        ("left", "policy", left, left_ai),
        ("right", "opponent" if left else "policy", right, right_ai),
    ):
        if controlled:
            pencil.player(x, y, side == "left", "7")
            explain(f"{side}: {who}")
        if others:
            pencil.player(x, y, side == "left")
            explain("engine's AI" if controlled else f"{side}: engine's AI")
    pencil.circle(x, y, 1.6, None, HAS_BALL, 0.4)
    explain("has the ball")
    pencil.circle(x, y, _BALL_RADIUS, WHITE, DARK)
    explain("ball (larger: higher)")
