"""Gymnasium environments to watch: the same episodes, with a picture of each env step."""

from typing import Any

from PIL import Image

from hts_tf import specs
from hts_tf.environments.gymnasiums import pictures, registry
from hts_tf.environments.gymnasiums.building import Recipe
from hts_tf.environments.gymnasiums.environment import GymnasiumEnvironment


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
        pictures.prepare()
        pictures.check(env_id, lambda: GymnasiumEnvironment(recipe, has_info_mask, pictures.MODE))
        super().__init__(recipe, has_info_mask, pictures.MODE)
        self.title = registry.split(env_id)[1]
        self.fps = pictures.fps(self.env)
        meanings = getattr(self.env.unwrapped, "get_action_meanings", list)
        self._meanings = tuple(map(str, meanings()))

    def picture(self) -> Image.Image:
        """Returns the environment's own picture of how things are."""
        return pictures.picture(self.env)

    def action_name(self, action: Any) -> str:
        """Returns an action in words, or the numbers that the environment plays."""
        spec = self.spec.action
        if isinstance(spec, specs.DiscreteSpec) and spec.num_values == len(self._meanings):
            return self._meanings[action]
        return self.played.shown(action)
