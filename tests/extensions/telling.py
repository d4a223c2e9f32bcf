"""An environment with figures of its own."""

import dataclasses

import gin

from hts_tf.environments import base, synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Telling(synthetic.Synthetic):
    """`Synthetic`, which says how many hits an episode had, and the remainder of its seed.

    Attributes:
      tells: what it says instead in an episode's last step.
    """

    tells: tuple | None = None

    @property
    def spec(self):
        return dataclasses.replace(super().spec, figures=("hits", "seed/of_7"))

    def make(self):
        return _Game(self)


class _Game(synthetic.SyntheticEnvironment):
    def reset(self, seed, observation):
        super().reset(seed, observation)
        self._hits, self._seed = 0, seed

    def step(self, action, observation):
        result = super().step(action, observation)
        self._hits += result.score > 0
        told = self._config.tells or (self._hits, self._seed % 7)
        return base.StepResult(*result[:4], told if result.is_over else ())
