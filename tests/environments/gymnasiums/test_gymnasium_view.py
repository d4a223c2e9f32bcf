import os

import numpy as np
import pytest

from hts_tf import errors
from hts_tf.environments.gymnasiums import pictures
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium
from tests.environments.gymnasiums import tiny, wrapped_atari

NO_FRAMESKIP = {"frameskip": 1, "repeat_action_probability": 0.0}


def test_pictures_are_of_the_last_step():
    config = Gymnasium("Nested-v0")
    view = config.watch()
    shown = config.spec.new_observation()
    for _ in range(2):
        view.reset(0, shown)
        assert view.picture().size == (60, 40)
        assert view.picture().getpixel((0, 0)) == (0, 0, 0)
        view.step(np.zeros((2, 2), np.uint8), shown)
        assert view.picture().getpixel((0, 0)) == (10, 10, 10)
    assert (view.title, view.fps) == ("Nested-v0", 7)
    assert view.action_name(np.array([[1, 0], [0, 4]], np.uint8)) == "2 0 -3 4"
    view.close()


def test_watching_changes_nothing():
    config = Gymnasium("CartPole-v1")
    plain, view = config.make(), config.watch()
    expected, shown = config.spec.new_observation(), config.spec.new_observation()
    for seed in (0, 1, 0):
        plain.reset(seed, expected)
        view.reset(seed, shown)
        for _ in range(5):
            assert plain.step(1, expected) == view.step(1, shown)
            view.picture()
            assert shown.tobytes() == expected.tobytes()


def test_atari_shows_the_games_own_screen():
    config = Gymnasium("ALE/Breakout-v5", kwargs=NO_FRAMESKIP, wrappers=wrapped_atari.WRAPPERS)
    view = config.watch()
    view.reset(0, config.spec.new_observation())
    picture = view.picture()
    assert picture.size == (160, 210)
    assert len(picture.getcolors()) > 5, "colours"
    assert [view.action_name(action) for action in range(4)] == ["NOOP", "FIRE", "RIGHT", "LEFT"]


def test_actions_of_numbers_are_those_that_are_played():
    view = Gymnasium("Pendulum-v1").watch()
    assert view.action_name(np.float32([0.25])) == "0.2"
    assert view.action_name(np.float32([-9])) == "-2.0"
    assert view.title == "Pendulum-v1"


def test_those_without_pictures():
    for config in (
        Gymnasium("Sampled-v0"),
        Gymnasium("Sampled-v0", wrappers=[f"{tiny.NAME}:Halved"]),
    ):
        with pytest.raises(errors.ConfigError, match=r"Sampled-v0 has no pictures \(.*\)$") as e:
            config.watch()
        assert len(str(e.value).splitlines()) == 1


def test_one_whose_renderer_fails(monkeypatch):
    def fail(self):
        raise RuntimeError("no\ndisplay")

    monkeypatch.setattr(tiny.Nested, "render", fail)
    with pytest.raises(errors.ConfigError, match="no display"):
        Gymnasium("Nested-v0").watch()


@pytest.mark.parametrize(
    ("display", "driver"), [("", "dummy"), ("DISPLAY", None), ("WAYLAND_DISPLAY", None)]
)
def test_where_there_is_a_display_windows_can_be_opened(monkeypatch, display, driver):
    monkeypatch.setattr(os, "environ", {display: "somewhere"})
    pictures.prepare()
    assert os.environ.get("SDL_VIDEODRIVER") == driver


def test_without_a_display_renderers_are_told_so(monkeypatch):
    for name in ("DISPLAY", "MUJOCO_GL", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    Gymnasium("Nested-v0").watch().close()
    assert os.environ["MUJOCO_GL"] == "egl"
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    Gymnasium("Nested-v0").watch().close()
    assert os.environ["MUJOCO_GL"] == "osmesa", "what is set counts"
