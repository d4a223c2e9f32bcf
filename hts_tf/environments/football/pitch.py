"""A football pitch seen from above: pictures for people, drawn with Pillow alone."""

import functools
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

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
_SMOOTHING = 2  # drawn so many times larger, then reduced

_GRASS = (38, 84, 66)
_GRASS_STRIPE = (43, 92, 73)
_LINES = (214, 228, 220)
# From Okabe and Ito's palette, which colour-blind people can tell apart; shapes differ, too.
_LEFT = (86, 180, 233)
_RIGHT = (230, 159, 0)
_BALL = (255, 255, 255)
_OUTLINE = (16, 26, 22)
_ACTIVE = (255, 255, 255)


class Scene(NamedTuple):
    """Where everyone stands, in engine coordinates: x from -1 to 1, y from -0.42 (top) to 0.42.

    Attributes:
      left_team: of each player.
      right_team: of each player.
      ball: where it is.
      ball_height: in metres.
      left_active: indices of the players of the left team that are controlled; -1 for none.
      right_active: the same of the right team.
    """

    left_team: list[Point]
    right_team: list[Point]
    ball: Point
    ball_height: float
    left_active: list[int]
    right_active: list[int]


def draw(scene: Scene) -> Image.Image:
    """Draws a scene: 944 x 640 RGB."""
    image = _empty_pitch().copy()
    pencil = _Pencil(image)
    for index, (x, y) in enumerate(scene.right_team):
        if index in scene.right_active:
            pencil.circle(x * _METRES_X, y * _METRES_Y, 2.1, None, _ACTIVE, 0.35)
        pencil.diamond(x * _METRES_X, y * _METRES_Y, 1.4, _RIGHT)
    for index, (x, y) in enumerate(scene.left_team):
        if index in scene.left_active:
            pencil.circle(x * _METRES_X, y * _METRES_Y, 2.1, None, _ACTIVE, 0.35)
        pencil.circle(x * _METRES_X, y * _METRES_Y, 1.15, _LEFT)
    x, y = scene.ball
    # The higher, the nearer to who looks down on it.
    radius = 0.75 * (1 + max(scene.ball_height, 0.0) / 6)
    pencil.circle(x * _METRES_X, y * _METRES_Y, radius, _BALL)
    return image.reduce(_SMOOTHING)


class _Pencil:
    """Draws in metres from the middle of the pitch."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)
        self._scale = _PIXELS_PER_METRE * _SMOOTHING
        self._middle = image.width / 2, image.height / 2

    def pixel(self, x: float, y: float) -> Point:
        return self._middle[0] + x * self._scale, self._middle[1] + y * self._scale

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        fill: tuple | None,
        outline: tuple = _OUTLINE,
        width: float = 0.2,
    ) -> None:
        box = [*self.pixel(x - radius, y - radius), *self.pixel(x + radius, y + radius)]
        self._draw.ellipse(box, fill, outline, self._pixels(width))

    def diamond(self, x: float, y: float, radius: float, fill: tuple) -> None:
        corners = [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]
        points = [self.pixel(*corner) for corner in corners]
        self._draw.polygon(points, fill, _OUTLINE, self._pixels(0.2))

    def rectangle(
        self, x: float, y: float, right: float, bottom: float, fill: tuple | None = None
    ) -> None:
        left, right = sorted([x, right])
        box = [*self.pixel(left, y), *self.pixel(right, bottom)]
        outline = _LINES if fill is None else None
        self._draw.rectangle(box, fill, outline, self._pixels(0.2))

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        ends = [self.pixel(x, y), self.pixel(to_x, to_y)]
        self._draw.line(ends, _LINES, self._pixels(0.2))

    def arc(self, x: float, y: float, radius: float, start: float, end: float) -> None:
        box = [*self.pixel(x - radius, y - radius), *self.pixel(x + radius, y + radius)]
        self._draw.arc(box, start, end, _LINES, self._pixels(0.2))

    def text(self, x: float, y: float, text: str) -> None:
        font = ImageFont.load_default(size=1.9 * self._scale)
        self._draw.text(self.pixel(x, y), text, _LINES, font, anchor="lm")

    def _pixels(self, metres: float) -> int:
        return max(1, round(metres * self._scale))


@functools.cache
def _empty_pitch() -> Image.Image:
    size = [2 * (half + _MARGIN) for half in (_HALF_LENGTH, _HALF_WIDTH)]
    pixels = [round(metres * _PIXELS_PER_METRE * _SMOOTHING) for metres in size]
    image = Image.new("RGB", (pixels[0], pixels[1]), _GRASS)
    pencil = _Pencil(image)
    stripe = 2 * _HALF_LENGTH / 10
    for index in range(0, 10, 2):
        left = -_HALF_LENGTH + index * stripe
        pencil.rectangle(left, -_HALF_WIDTH, left + stripe, _HALF_WIDTH, _GRASS_STRIPE)
    pencil.rectangle(-_HALF_LENGTH, -_HALF_WIDTH, _HALF_LENGTH, _HALF_WIDTH)
    pencil.line(0, -_HALF_WIDTH, 0, _HALF_WIDTH)
    pencil.circle(0, 0, 9.15, None, _LINES)
    pencil.circle(0, 0, 0.3, _LINES, _LINES)
    for side in (-1, 1):
        goal_line = side * _HALF_LENGTH
        pencil.rectangle(goal_line, -20.16, goal_line - side * 16.5, 20.16)
        pencil.rectangle(goal_line, -9.16, goal_line - side * 5.5, 9.16)
        pencil.rectangle(goal_line, -_HALF_GOAL, goal_line + side * _GOAL_DEPTH, _HALF_GOAL)
        spot = goal_line - side * 11
        pencil.circle(spot, 0, 0.3, _LINES, _LINES)
        facing = 0 if side < 0 else 180  # the part of this circle outside the penalty area
        pencil.arc(spot, 0, 9.15, facing - 53, facing + 53)
    _legend(pencil, _HALF_WIDTH + _MARGIN / 2 + 0.2)
    return image


def _legend(pencil: _Pencil, y: float) -> None:
    pencil.circle(-_HALF_LENGTH + 1.2, y, 1.15, _LEFT)
    pencil.text(-_HALF_LENGTH + 3.5, y, "left team")
    pencil.circle(-24, y, 1.3, None, _ACTIVE, 0.35)
    pencil.text(-21.5, y, "players who are controlled")
    pencil.diamond(8, y, 1.4, _RIGHT)
    pencil.text(10.5, y, "right team")
    pencil.circle(28, y, 0.75, _BALL)
    pencil.text(30, y, "ball (larger: higher)")
