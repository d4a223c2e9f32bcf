"""Gymnasium environments to watch: the same episodes, with a picture of each env step."""

import os
import warnings
from typing import Any

import numpy as np
from PIL import Image

from hts_tf import errors, specs
from hts_tf.environments.gymnasiums import registry
from hts_tf.environments.gymnasiums.environment import GymnasiumEnvironment, Recipe

_MODE = "rgb_array"
_NUMBERS_SHOWN = 8


class GymnasiumView(GymnasiumEnvironment):
    """A Gymnasium environment that shows itself; see `base.Watched`."""

    def __init__(self, env_id: str, recipe: Recipe, has_info_mask: bool) -> None:
        """Builds it, and tries its renderer on another one.

        Args:
          env_id: see `Gymnasium.id`.
          recipe: as the other one, see `GymnasiumEnvironment`.
          has_info_mask: the same.

        Raises:
          ConfigError: it makes no pictures, or not here.
        """
        if not os.environ.get("DISPLAY"):  # then only these work
            os.environ.setdefault("MUJOCO_GL", "egl")
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        _try(env_id, recipe, has_info_mask)
        super().__init__(recipe, has_info_mask, _MODE)
        self.title = registry.split(env_id)[1]
        fps = self.env.metadata.get("render_fps")
        self.fps = float(fps) if isinstance(fps, (int, float)) and fps > 0 else None
        meanings = getattr(self.env.unwrapped, "get_action_meanings", list)
        self._meanings = tuple(map(str, meanings()))

    def picture(self) -> Image.Image:
        """Returns the environment's own picture of how things are."""
        return _picture(self.env)

    def action_name(self, action: Any) -> str:
        """Returns an action in words, or the numbers that the environment plays."""
        spec = self.spec.action
        if isinstance(spec, specs.DiscreteSpec) and spec.num_values == len(self._meanings):
            return self._meanings[action]
        if isinstance(spec, specs.BoxSpec):
            action = spec.bounded(action)
        numbers = np.ravel(self.played.action(action))
        kind = ".1f" if isinstance(spec, specs.BoxSpec) else "d"
        shown = " ".join(f"{number:{kind}}" for number in numbers[:_NUMBERS_SHOWN])
        return f"{shown} ..." if len(numbers) > _NUMBERS_SHOWN else shown


def _try(env_id: str, recipe: Recipe, has_info_mask: bool) -> None:
    """Raises: ConfigError: there are no pictures."""
    trial = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would be about what is asked here
            trial = GymnasiumEnvironment(recipe, has_info_mask, _MODE)
            modes = trial.env.metadata.get("render_modes") or ()
            if _MODE not in modes:
                raise ValueError(f"its render modes are {list(modes)}")
            trial.env.reset(seed=0)
            _picture(trial.env)
    except Exception as error:
        raise errors.ConfigError(
            f"{env_id} has no pictures ({registry.in_a_line(error)}); add --check_only"
        ) from error
    finally:
        if trial is not None:
            trial.close()


def _picture(env: Any) -> Image.Image:
    pixels = np.asarray(env.render())
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{_MODE} renders {pixels.dtype} {pixels.shape}")
    return Image.fromarray(pixels, "RGB")
