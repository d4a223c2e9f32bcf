"""A list of what controlled players do, to stand below a picture of football."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from hts_tf.environments.football.pencil import DARK, HAS_BALL, LINES, SMOOTHING, Pencil

# In units of which a player's mark is 3.2 wide, see `Pencil.player`.
_SCALE = 7.5 * SMOOTHING
_CELL = 19.5, 4.2  # width, at least, and height
_MARGIN = 4.2, 0.9
_FAINT = (130, 150, 140)


class Doing(NamedTuple):
    """What a controlled player does.

    Attributes:
      is_left: whether it is of the left team.
      number: of the player, as on the pitch; "" where a controller has none.
      action: in words; "" before the first.
      has_ball: whether it has the ball.
    """

    is_left: bool
    number: str
    action: str
    has_ball: bool


def draw(width: int, doings: Sequence[Doing]) -> Image.Image:
    """Draws the list, those of the left team on the left: RGB, as high as it needs to be.

    Args:
      width: in pixels.
      doings: of at least one player; how many of each team decides about the height.
    """
    teams = [[d for d in doings if d.is_left], [d for d in doings if not d.is_left]]
    teams = [team for team in teams if team]
    part = (width * SMOOTHING / _SCALE - _MARGIN[0]) / len(teams)
    columns = max(1, int(part / _CELL[0]))
    rows = max(-(-len(team) // columns) for team in teams)
    # Even, as a video must be.
    height = 2 * round((rows * _CELL[1] + 2 * _MARGIN[1]) * _SCALE / SMOOTHING / 2)
    image = Image.new("RGB", (width * SMOOTHING, height * SMOOTHING), DARK)
    pencil = Pencil(image, _SCALE, (0, 0))
    for place, team in enumerate(teams):
        for index, doing in enumerate(team):
            column, row = divmod(index, rows)
            x = _MARGIN[0] + 1.6 + place * part + column * part / columns
            y = _MARGIN[1] + (row + 0.5) * _CELL[1]
            pencil.player(x, y, doing.is_left, doing.number)
            color = HAS_BALL if doing.has_ball else _FAINT if doing.action == "idle" else LINES
            pencil.text(x + 2.7, y, doing.action, color)
    return image.reduce(SMOOTHING)
