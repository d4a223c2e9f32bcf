"""Another kind of action: points of the plane. The head that chooses them: dial_head.py."""

import dataclasses

import gin
import numpy as np

from hts_tf import specs
from hts_tf.environments import base


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Dial:
    """Point at what is shown. A perfect episode scores 1; each ends by a time limit."""

    episode_steps: int = 16

    @property
    def spec(self):
        point = specs.ArraySpec((2,), "float32")
        return specs.EnvironmentSpec(point, point, self.episode_steps)

    def make(self):
        return Pointer(self.episode_steps)


@gin.configurable
class Pointer(base.Environment):
    """The game; its bonus is bound, and not handed over with the recipe."""

    def __init__(self, episode_steps, bonus=0.0):
        self._episode_steps = episode_steps
        self._bonus = bonus

    def reset(self, seed, observation):
        self._targets = np.random.default_rng(seed).uniform(-1, 1, (self._episode_steps + 1, 2))
        self._step = 0
        observation[...] = self._targets[0]

    def step(self, action, observation):
        distance = np.sum(np.square(action - self._targets[self._step]))
        score = (float(np.exp(-distance)) + self._bonus) / self._episode_steps
        self._step += 1
        observation[...] = self._targets[self._step]
        return base.StepResult(score, score, False, self._step == self._episode_steps)

    def close(self):
        pass
