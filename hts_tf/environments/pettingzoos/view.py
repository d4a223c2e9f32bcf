"""PettingZoo environments to watch: the same episodes, with a picture of each env step."""

from typing import Any

import numpy as np
from PIL import Image

from hts_tf.environments.gymnasiums import pictures
from hts_tf.environments.pettingzoos.building import Recipe
from hts_tf.environments.pettingzoos.environment import PettingZooEnvironment


class PettingZooView(PettingZooEnvironment):
    """A PettingZoo environment that shows itself; see `base.Watched`."""

    def __init__(self, recipe: Recipe) -> None:
        """Builds it, and tries its renderer on another one.

        Raises:
          ConfigError: it makes no pictures, or not here.
        """
        pictures.prepare()
        pictures.check(recipe.module, lambda: PettingZooEnvironment(recipe, pictures.MODE))
        super().__init__(recipe, pictures.MODE)
        self.title = recipe.module.rpartition(".")[2]
        self.fps = pictures.fps(self.env)

    def picture(self) -> Image.Image:
        """Returns the environment's own picture of how things are."""
        return pictures.picture(self.env)

    def action_name(self, action: Any) -> str:
        """Returns what the first agent plays for an action; nothing for those of all."""
        is_of_all = np.ndim(action) > len(self.spec.action.shape)
        return "" if is_of_all else self._played[0].shown(action)
