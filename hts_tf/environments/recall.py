"""A game that only memory can win: what is right at the end was shown at the start.

Imported by executor processes: nothing large but numpy.
"""

import dataclasses
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from hts_tf import errors, specs
from hts_tf.configurables import configurable
from hts_tf.environments import base

_Steps = Annotated[int, Ge(1), Le(10_000)]


@configurable
@dataclasses.dataclass(frozen=True)
class Recall:
    """Remember the cue: the first observation shows one of several, the last one asks for it.

    Between them nothing is shown, for a number of env steps that is drawn anew for each episode, so
    that counting does not help. The action after the question is right if it is the cue's: that
    pays 1, as reward and as score, and ends the episode. So without memory no policy scores more
    than 1 / num_cues on average. (The T-maze of Bakker, 2001, without the corridor's walls.)

    An observation is num_cues + 1 numbers, 0 or 1: the cue, one-hot, and whether this is the
    question.

    Attributes:
      num_cues: as many as there are actions.
      shortest: the fewest env steps from the cue to the question.
      longest: the most.

    Raises:
      ConfigError: a setting is out of range.
    """

    num_cues: Annotated[int, Ge(2), Le(256)] = 4
    shortest: _Steps = 4
    longest: _Steps = 12

    def __post_init__(self) -> None:
        if self.shortest > self.longest:
            raise errors.ConfigError(
                f"Recall.shortest = {self.shortest} must not exceed Recall.longest = {self.longest}"
            )

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """See `EnvironmentSpec`."""
        return specs.EnvironmentSpec(
            observation=specs.ArraySpec((self.num_cues + 1,), "float32"),
            action=specs.DiscreteSpec(num_values=self.num_cues),
            max_episode_steps=self.longest + 1,
        )

    def make(self) -> "RecallEnvironment":
        """Builds one environment."""
        return RecallEnvironment(self)


class RecallEnvironment(base.Environment):
    """One game of `Recall`."""

    def __init__(self, config: Recall) -> None:
        self._config = config

    def reset(self, seed: int, observation: np.ndarray) -> None:
        """See base class."""
        random = np.random.default_rng(seed)
        self._cue = int(random.integers(self._config.num_cues))
        self._left = int(random.integers(self._config.shortest, self._config.longest + 1))
        observation.fill(0.0)
        observation[self._cue] = 1.0

    def step(self, action: int, observation: np.ndarray) -> base.StepResult:
        """See base class."""
        observation.fill(0.0)
        if self._left == 0:
            right = float(action == self._cue)
            return base.StepResult(right, right, terminated=True, truncated=False)
        self._left -= 1
        observation[-1] = float(self._left == 0)
        return base.StepResult(0.0, 0.0, terminated=False, truncated=False)

    def close(self) -> None:
        """See base class."""
