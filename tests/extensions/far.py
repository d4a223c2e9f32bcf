"""An environment whose observations and rewards are of sizes that networks cannot learn from."""

import dataclasses

import gin

from hts_tf import specs
from hts_tf.environments import synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Far(synthetic.Synthetic):
    """`Synthetic`, a million away, and paying a thousand times as much."""

    @property
    def spec(self):
        light = specs.ArraySpec((self.num_actions,), "float64", scale=1e-6)
        return dataclasses.replace(super().spec, observation=light)

    def make(self):
        return _Game(self)


class _Game(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        result = super().step(action, observation)
        return result._replace(reward=1000.0 * result.reward)

    def _show(self, observation):
        super()._show(observation)
        observation += 1e6
