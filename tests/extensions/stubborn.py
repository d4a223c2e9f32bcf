"""An environment that can be trained on, but not evaluated."""

import dataclasses

import gin

from hts_tf import seeding
from hts_tf.environments import synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Stubborn(synthetic.Synthetic):
    """`Synthetic` that fails, or hangs, in the episodes of evaluations."""

    hangs: bool = False

    def make(self):
        return _Game(self)


class _Game(synthetic.SyntheticEnvironment):
    def reset(self, seed, observation):
        while seeding.is_evaluation(seed):
            if not self._config.hangs:
                raise RuntimeError("no tests today")
        super().reset(seed, observation)
