"""Pictures by an environment's own renderer, `render_mode="rgb_array"`; also of PettingZoo."""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from hts_tf import errors

MODE = "rgb_array"


def prepare() -> None:
    """Sets the environment variables with which renderers work here."""
    if not os.environ.get("DISPLAY"):  # then only these work
        os.environ.setdefault("MUJOCO_GL", "egl")
        if not os.environ.get("WAYLAND_DISPLAY"):  # else there may be windows, too
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def check(name: str, build: Callable[[], Any]) -> None:
    """Tries the renderer.

    Args:
      name: of what is shown.
      build: builds an environment of ours with `MODE`.

    Raises:
      ConfigError: there are no pictures.
    """
    trial = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would be about what is asked here
            trial = build()
            modes = trial.env.metadata.get("render_modes") or ()
            if MODE not in modes:
                raise ValueError(f"its render modes are {list(modes)}")
            trial.env.reset(seed=0)
            picture(trial.env)
    except Exception as error:
        raise errors.ConfigError(f"{name} has no pictures ({errors.in_a_line(error)})") from error
    finally:
        if trial is not None:
            trial.close()


def fps(env: Any) -> float | None:
    """Returns how many env steps a second look natural, if the environment says so."""
    found = env.metadata.get("render_fps")
    return float(found) if isinstance(found, (int, float)) and found > 0 else None


def picture(env: Any) -> Image.Image:
    """Returns how things are. Raises: ValueError: that is no picture."""
    pixels = np.asarray(env.render())
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{MODE} renders {pixels.dtype} {pixels.shape}")
    return Image.fromarray(pixels, "RGB")
