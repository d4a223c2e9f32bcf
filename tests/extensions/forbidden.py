"""An observation that says which actions are permitted."""

import dataclasses

import gin
import numpy as np

from hts_tf import specs
from hts_tf.environments import base, synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Forbidden(synthetic.Synthetic):
    """`Synthetic`, where half of the wrong actions are against the rules, others in every step."""

    @property
    def spec(self):
        spec = super().spec
        permitted = specs.ArraySpec((self.num_actions,), "bool")
        return dataclasses.replace(
            spec, observation={"light": spec.observation, specs.ACTION_MASK: permitted}
        )

    def make(self):
        return _Game(super().make(), self.num_actions)


class _Game(base.Environment):
    def __init__(self, game, num_actions):
        self._game = game
        self._num_actions = num_actions

    def reset(self, seed, observation):
        self._random = np.random.default_rng([seed, 1])
        self._game.reset(seed, observation["light"])
        self._forbid(observation)

    def step(self, action, observation):
        if not self._permitted[action]:
            raise RuntimeError(f"action {action} is against the rules")
        result = self._game.step(action, observation["light"])
        self._forbid(observation)
        return result

    def close(self):
        self._game.close()

    def _forbid(self, observation):
        permitted = self._random.random(self._num_actions) < 0.5
        self._permitted = permitted | (observation["light"] > 0)
        observation[specs.ACTION_MASK][...] = self._permitted
