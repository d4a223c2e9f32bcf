"""A step with a further field: which actions are permitted, and a head that keeps to it."""

import dataclasses

import gin
import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.environments import base, synthetic
from hts_tf.networks.categorical import Categorical


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Forbidden(synthetic.Synthetic):
    """`Synthetic`, where half of the wrong actions are against the rules, others in every step."""

    @property
    def spec(self):
        spec = super().spec
        permitted = specs.ArraySpec((self.num_actions,), "bool")
        return dataclasses.replace(
            spec, observation={"light": spec.observation, "permitted": permitted}
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
        observation["permitted"][...] = self._permitted


@gin.configurable(denylist=["action", "seeds"])
class MaskedCategorical(Categorical):
    """Never takes an action that the observation does not permit."""

    def call(self, features, observation):
        logits = super().call(features, observation)["logits"]
        return {"logits": tf.where(observation["permitted"], logits, -1e9)}
