"""An environment whose observation is a dict of arrays, of several types."""

import dataclasses

import gin
import numpy as np

from hts_tf import specs
from hts_tf.environments import base, synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Sensors(synthetic.Synthetic):
    """`Synthetic`, where half of the light is seen by a camera, and half by a row of sensors."""

    @property
    def spec(self):
        half = self.num_actions // 2
        return dataclasses.replace(
            super().spec,
            observation={
                "row": specs.ArraySpec((half,), "float32"),
                "camera": specs.ArraySpec((1, self.num_actions - half, 1), "uint8", scale=1 / 255),
            },
        )

    def make(self):
        return _Game(super().make(), self.num_actions)


class _Game(base.Environment):
    def __init__(self, game, num_actions):
        self._game = game
        self._light = np.zeros(num_actions, np.float32)

    def reset(self, seed, observation):
        self._game.reset(seed, self._light)
        self._show(observation)

    def step(self, action, observation):
        result = self._game.step(action, self._light)
        self._show(observation)
        return result

    def close(self):
        self._game.close()

    def _show(self, observation):
        half = observation["row"].size
        observation["row"][...] = self._light[:half]
        observation["camera"][0, :, 0] = self._light[half:] * 255
