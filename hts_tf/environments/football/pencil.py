"""A pencil for pictures of football: lines, texts, and the marks of players."""

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

GRASS = (38, 84, 66)
LINES = (214, 228, 220)
DARK = (16, 26, 22)
WHITE = (255, 255, 255)
# From Okabe and Ito's palette, which colour-blind people can tell apart; shapes differ, too.
LEFT = (86, 180, 233)
RIGHT = (230, 159, 0)
HAS_BALL = (240, 228, 66)

SMOOTHING = 2  # drawn so many times larger, then reduced

_LETTERS = 1.9  # metres


class Pencil:
    """Draws in metres, or whatever else, from a point of a picture."""

    def __init__(self, image: Image.Image, scale: float, origin: tuple[float, float]) -> None:
        """Takes the picture.

        Args:
          image: to be drawn on, `SMOOTHING` times as large as it is shown.
          scale: pixels of it that a metre has.
          origin: pixel of it where x and y are 0; y grows downwards.
        """
        self._draw = ImageDraw.Draw(image)
        self._scale = scale
        self._origin = origin
        self._font = ImageFont.load_default(size=_LETTERS * scale)

    def player(
        self, x: float, y: float, is_left: bool, number: str = "", has_ball: bool = False
    ) -> None:
        """Marks a player: filled, with a number, if it is controlled; else, without one, hollow."""
        color = LEFT if is_left else RIGHT
        if has_ball:
            self.circle(x, y, 2.5, None, HAS_BALL, 0.4)
        if not number:
            self._mark(x, y, is_left, 0.7, GRASS, color, 0.4)
            return
        self._mark(x, y, is_left, 1.0, color, WHITE, 0.25)
        self.text(x, y, number, DARK, "mm")

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        fill: Color | None,
        outline: Color = DARK,
        width: float = 0.2,
    ) -> None:
        """Draws a circle."""
        box = [*self._pixel(x - radius, y - radius), *self._pixel(x + radius, y + radius)]
        self._draw.ellipse(box, fill, outline, self._pixels(width))

    def rectangle(
        self, x: float, y: float, right: float, bottom: float, fill: Color | None = None
    ) -> None:
        """Draws a rectangle: filled, or its outline."""
        left, right = sorted([x, right])
        box = [*self._pixel(left, y), *self._pixel(right, bottom)]
        self._draw.rectangle(box, fill, LINES if fill is None else None, self._pixels(0.2))

    def line(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Draws a line of the pitch."""
        self._draw.line([self._pixel(x, y), self._pixel(to_x, to_y)], LINES, self._pixels(0.2))

    def arc(self, x: float, y: float, radius: float, start: float, end: float) -> None:
        """Draws part of a circle, from and to an angle in degrees."""
        box = [*self._pixel(x - radius, y - radius), *self._pixel(x + radius, y + radius)]
        self._draw.arc(box, start, end, LINES, self._pixels(0.2))

    def text(self, x: float, y: float, text: str, color: Color = LINES, anchor: str = "lm") -> None:
        """Writes a text; for `anchor` see Pillow."""
        self._draw.text(self._pixel(x, y), text, color, self._font, anchor=anchor)

    def width(self, text: str) -> float:
        """Returns how wide a text is."""
        return self._font.getlength(text) / self._scale

    def _mark(
        self, x: float, y: float, is_left: bool, size: float, fill: Color, outline: Color, w: float
    ) -> None:
        if is_left:
            self.circle(x, y, 1.6 * size, fill, outline, w)
            return
        radius = 1.95 * size
        corners = [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]
        points = [self._pixel(*corner) for corner in corners]
        self._draw.polygon(points, fill, outline, self._pixels(w))

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        return self._origin[0] + x * self._scale, self._origin[1] + y * self._scale

    def _pixels(self, metres: float) -> int:
        return max(1, round(metres * self._scale))
