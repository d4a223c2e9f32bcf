"""Where a person sees a game and is asked what to do: a window, or a terminal."""

import contextlib
import os
import re
import select
import shutil
import sys
import termios
import textwrap
import tty
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from hts_tf import errors
from hts_tf.watching import keyboard

_ESCAPE = "\x1b"
_SEQUENCES = {
    **{f"{_ESCAPE}{opened}A": keyboard.UP for opened in "[O"},
    **{f"{_ESCAPE}{opened}B": keyboard.DOWN for opened in "[O"},
    **{f"{_ESCAPE}{opened}C": keyboard.RIGHT for opened in "[O"},
    **{f"{_ESCAPE}{opened}D": keyboard.LEFT for opened in "[O"},
    " ": keyboard.SPACE,
    _ESCAPE: keyboard.ESCAPE,
}
_OTHER_SEQUENCE = re.compile(rf"{_ESCAPE}[\[O][0-9;]*[A-Za-z~]$")
_LARGEST = 1280, 800  # of a window's picture, pixels
_LINE_PIXELS = 22
_LETTER_PIXELS = 9
UNBROKEN = "\u00a0"  # a space at which no line ends


class Stage(Protocol):
    """One of them; use with `with`."""

    def show(self, picture: Image.Image, lines: Sequence[str]) -> None:
        """Shows a picture, RGB, and lines of text below it, broken where they are too long."""

    def pressed(self) -> str | None:
        """Returns the key that is, or was last, pressed since the last call; None for none."""


class Terminal:
    """Draws with half blocks in 24-bit colours, two pixels in each character."""

    def __enter__(self) -> "Terminal":
        """Raises: ConfigError: there is no terminal."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise errors.ConfigError(
                "there is neither a display (DISPLAY) nor a terminal to play in"
            )
        self._input = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)
        self._write(f"{_ESCAPE}[?1049h{_ESCAPE}[?25l")  # another screen, without a cursor
        return self

    def __exit__(self, *_: object) -> None:
        self._write(f"{_ESCAPE}[0m{_ESCAPE}[?25h{_ESCAPE}[?1049l")
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def show(self, picture: Image.Image, lines: Sequence[str]) -> None:
        """See `Stage`."""
        size = shutil.get_terminal_size()
        lines = _broken(lines, size.columns)[: max(1, size.lines - 2)]  # the picture comes first
        room = size.columns, 2 * max(1, size.lines - len(lines) - 1)
        scale = min(room[0] / picture.width, room[1] / picture.height)
        width, height = (max(1, int(scale * side)) for side in picture.size)
        small = np.asarray(picture.resize((width, 2 * ((height + 1) // 2)), Image.Resampling.BOX))
        drawn = [self._row(*small[row : row + 2]) for row in range(0, len(small), 2)]
        texts = [f"{_ESCAPE}[0m{line}" for line in lines]
        ended = [f"{row}{_ESCAPE}[0m{_ESCAPE}[K" for row in (*drawn, *texts)]
        self._write(f"{_ESCAPE}[H" + "\r\n".join(ended) + f"{_ESCAPE}[J")

    def _row(self, upper: np.ndarray, lower: np.ndarray) -> str:
        """Returns a row of characters; colours are only said where they change."""
        parts, before = [], None
        for pair in zip(map(tuple, upper.tolist()), map(tuple, lower.tolist()), strict=True):
            if pair != before:
                (r, g, b), (x, y, z) = before = pair
                parts.append(f"{_ESCAPE}[38;2;{r};{g};{b};48;2;{x};{y};{z}m")
            parts.append("▀")
        return "".join(parts)

    def pressed(self) -> str | None:
        """See `Stage`."""
        read = b""
        while select.select([self._input], [], [], 0)[0]:
            new = os.read(self._input, 1024)
            if not new:
                return keyboard.ESCAPE  # nobody is there any more
            read += new
        text = read.decode(errors="ignore")
        for sequence, key in _SEQUENCES.items():
            if text.endswith(sequence):
                return key
        if _OTHER_SEQUENCE.search(text):
            return None  # and not the letter at its end
        return text[-1].lower() if text else None

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class Window:
    """A window of pygame's."""

    def __enter__(self) -> "Window":
        """Raises: ConfigError: there is no pygame, or no display."""
        try:
            with contextlib.redirect_stdout(None):  # it prints a banner
                import pygame

            pygame.display.init()
            pygame.font.init()
            if pygame.display.get_driver() == "dummy" and not _has_display():
                raise RuntimeError("there is no display")
        except Exception as error:
            raise errors.ConfigError(
                f"no window can be opened ({error}): --stage=terminal"
            ) from error
        self._pygame = pygame
        self._window = None
        self._held: list[str] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._pygame.quit()

    def show(self, picture: Image.Image, lines: Sequence[str]) -> None:
        """See `Stage`."""
        pygame = self._pygame
        scale = min(_LARGEST[0] / picture.width, _LARGEST[1] / picture.height)
        scale = max(1, int(scale)) if scale > 1 else scale
        width, height = (round(scale * side) for side in picture.size)
        lines = _broken(lines, width // _LETTER_PIXELS)
        size = width, height + _LINE_PIXELS * len(lines)
        if self._window is None or self._window.get_size() != size:
            self._window = pygame.display.set_mode(size)
            pygame.display.set_caption("hts_tf")
            self._font = pygame.font.Font(None, _LINE_PIXELS)
        shown = picture.convert("RGB").resize((width, height))
        self._window.fill((20, 22, 26))
        self._window.blit(pygame.image.frombytes(shown.tobytes(), shown.size, "RGB"), (0, 0))
        for number, line in enumerate(lines):
            text = self._font.render(line, True, (220, 222, 228))
            self._window.blit(text, (6, height + _LINE_PIXELS * number + 3))
        pygame.display.flip()

    def pressed(self) -> str | None:
        """See `Stage`."""
        pygame = self._pygame
        tapped = None
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                return keyboard.ESCAPE
            if event.type == pygame.KEYDOWN:
                tapped = pygame.key.name(event.key)
                self._held.append(tapped)
            if event.type == pygame.KEYUP:
                name = pygame.key.name(event.key)
                self._held = [key for key in self._held if key != name]
        return tapped or (self._held[-1] if self._held else None)


def _broken(lines: Sequence[str], columns: int) -> list[str]:
    """Returns lines of at most so many letters."""
    broken = (part for line in lines for part in textwrap.wrap(line, columns))
    return [part.replace(UNBROKEN, " ") for part in broken]


def choose(name: str) -> type[Terminal] | type[Window]:
    """Returns a stage by its name; 'auto' is a window where there is a display."""
    is_window = name == "window" or (name == "auto" and _has_display())
    return Window if is_window else Terminal


def _has_display() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
