"""Stages without a person: what they show, and which key is said to be pressed."""

import os

import numpy as np
import pytest
from PIL import Image

from hts_tf import errors
from hts_tf.watching import keyboard, stages

PICTURE = Image.fromarray(np.full((30, 40, 3), (200, 30, 60), np.uint8))


@pytest.fixture
def window(monkeypatch):
    """A window of a driver that shows nothing."""
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":0")
    with stages.Window() as made:
        yield made


def test_a_window_shows_the_picture_as_large_as_it_can(window):
    import pygame

    window.show(PICTURE, ["one line", "another"])
    shown = pygame.display.get_surface()
    assert shown.get_width() == 26 * 40  # of at most 1280 x 800
    assert tuple(shown.get_at((500, 300)))[:3] == (200, 30, 60)
    text = pygame.surfarray.array3d(shown)[:, 26 * 30 :]
    assert text.max() > 150  # letters
    large = Image.new("RGB", (2560, 1600))
    window.show(large, [])
    assert pygame.display.get_surface().get_size() == (1280, 800)


def test_a_window_says_which_key_is_held(window):
    import pygame

    def post(kind, key):
        pygame.event.post(pygame.event.Event(kind, key=key))

    window.show(PICTURE, [])
    window.pressed()
    assert window.pressed() is None
    post(pygame.KEYDOWN, pygame.K_LEFT)
    assert [window.pressed() for _ in range(3)] == [keyboard.LEFT] * 3
    post(pygame.KEYDOWN, pygame.K_d)
    assert window.pressed() == "d"
    post(pygame.KEYUP, pygame.K_d)
    assert window.pressed() == keyboard.LEFT
    post(pygame.KEYUP, pygame.K_LEFT)
    assert window.pressed() is None
    for key in (pygame.K_SPACE, pygame.K_UP):  # shorter than an env step
        post(pygame.KEYDOWN, key)
        post(pygame.KEYUP, key)
        assert window.pressed() == (keyboard.SPACE if key == pygame.K_SPACE else keyboard.UP)
    assert window.pressed() is None
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert window.pressed() == keyboard.ESCAPE


def test_where_no_window_can_be_opened(monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(errors.ConfigError, match="no window can be opened"), stages.Window():
        pass


def test_no_window_is_opened_that_nobody_can_see(monkeypatch):
    """What draws an environment's pictures may have chosen such a driver."""
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(errors.ConfigError, match=r"\(there is no display\)"), stages.Window():
        pass


@pytest.mark.parametrize(
    ("name", "display", "expected"),
    [
        ("auto", ":0", stages.Window),
        ("auto", "", stages.Terminal),
        ("terminal", ":0", stages.Terminal),
        ("window", "", stages.Window),
    ],
)
def test_which_stage(monkeypatch, name, display, expected):
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert stages.choose(name) is expected


def test_lines_that_are_too_long_are_broken():
    word = f"left:{stages.UNBROKEN}top{stages.UNBROKEN}left"
    broken = stages._broken(["   ".join([word] * 3)], 33)
    assert broken == ["left: top left   left: top left", "left: top left"]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("\x1b[A", keyboard.UP),
        ("a\x1bOD", keyboard.LEFT),
        ("\x1b", keyboard.ESCAPE),
        (" ", keyboard.SPACE),
        ("D", "d"),
        ("", None),
        ("\x1b[1;5D", None),  # with Ctrl
        ("\x1bOP", None),  # F1
        ("\x1b[3~", None),  # Delete
        ("\x1b[Fd", "d"),
    ],
)
def test_keys_of_a_terminal(sent, key):
    terminal = stages.Terminal()
    terminal._input, write = os.pipe()
    os.write(write, sent.encode())
    assert terminal.pressed() == key
    os.close(write)
    os.close(terminal._input)


def test_a_small_terminal_is_given_no_more_rows_than_it_has(monkeypatch):
    monkeypatch.setattr(stages.shutil, "get_terminal_size", lambda: os.terminal_size((30, 6)))
    terminal, shown = stages.Terminal(), []
    monkeypatch.setattr(terminal, "_write", shown.append)
    terminal.show(PICTURE, ["status", " ".join(["left: top"] * 40)])
    assert shown[0].count("\r\n") < 6
