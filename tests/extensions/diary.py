"""An environment that is not free of history, whether it says so or not."""

import dataclasses

import gin

from hts_tf.environments import synthetic


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Diary(synthetic.Synthetic):
    """`Synthetic`, whose light grows brighter with each env step that a game plays in its life."""

    says_so: bool = False

    @property
    def spec(self):
        return dataclasses.replace(super().spec, history_free=not self.says_so)

    def make(self):
        return _Game(self)


class _Game(synthetic.SyntheticEnvironment):
    def __init__(self, config):
        super().__init__(config)
        self._pages = 0

    def step(self, action, observation):
        self._pages += 1
        return super().step(action, observation)

    def _show(self, observation):
        super()._show(observation)
        observation *= 1 + self._pages / 1024
