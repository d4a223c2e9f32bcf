"""A game that is learned in seconds, with any distribution of step times: for tests and benchmarks.

Imported by executor processes: nothing large but numpy.
"""

import dataclasses
import time
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from hts_tf import specs
from hts_tf.configurables import configurable
from hts_tf.environments import base

_PARETO_SHAPE = 2.5  # heavy-tailed: the variance is finite, the third moment is not

# step_time -> (sampler of a given generator, gamma_shape and size; variance), all of mean 1.
_UNIT_MEAN = {
    "constant": (lambda random, shape, size: np.ones(size or ()), lambda shape: 0.0),
    "exponential": (
        lambda random, shape, size: random.standard_exponential(size),
        lambda shape: 1.0,
    ),
    "gamma": (
        lambda random, shape, size: random.standard_gamma(shape, size) / shape,
        lambda shape: 1.0 / shape,
    ),
    "pareto": (
        lambda random, shape, size: random.pareto(_PARETO_SHAPE, size) * (_PARETO_SHAPE - 1.0),
        lambda shape: _PARETO_SHAPE / (_PARETO_SHAPE - 2.0),
    ),
}


@configurable
@dataclasses.dataclass(frozen=True)
class Synthetic:
    """Follow the light: the observation shows which action is right, one-hot over the actions.

    A hit pays 1 / episode_steps, as reward and as score, so a perfect episode scores 1 and
    a random one 1 / num_actions.

    Attributes:
      num_actions: 2 to 256.
      episode_steps: length of every episode, in env steps.
      time_limit: episodes end by truncation instead of termination.
      step_time: distribution of one env step's duration: 'constant', 'exponential', 'gamma'
        or 'pareto' (Lomax's, from 0 on, of shape 2.5: heavy-tailed, of finite variance).
      gamma_shape: of 'gamma'; 1 is 'exponential', less is more uneven.
      mean_step_sec: mean duration of one env step, in seconds.
      burn: spend it computing instead of sleeping.

    Raises:
      ConfigError: a setting is out of range.
    """

    num_actions: Annotated[int, Ge(2), Le(256)] = 4
    episode_steps: Annotated[int, Ge(1), Le(1_000_000)] = 16  # drawn at once
    time_limit: bool = False
    step_time: Literal["constant", "exponential", "gamma", "pareto"] = "constant"
    gamma_shape: Annotated[float, Ge(0.001), Le(1e6)] = 4.0
    mean_step_sec: Annotated[float, Ge(0), Le(3600)] = 0.0
    burn: bool = False

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """See `EnvironmentSpec`."""
        return specs.EnvironmentSpec(
            observation=specs.ArraySpec((self.num_actions,), "float32"),
            action=specs.DiscreteSpec(num_values=self.num_actions),
            max_episode_steps=self.episode_steps,
        )

    @property
    def step_variance_sec2(self) -> float:
        """Variance of one env step's duration, in square seconds."""
        _, variance = _UNIT_MEAN[self.step_time]
        return self.mean_step_sec**2 * variance(self.gamma_shape)

    def draw_step_sec(
        self, random: np.random.Generator, size: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """Draws durations of env steps, in seconds."""
        sample, _ = _UNIT_MEAN[self.step_time]
        return self.mean_step_sec * sample(random, self.gamma_shape, size)

    def make(self) -> "SyntheticEnvironment":
        """Builds one environment."""
        return SyntheticEnvironment(self)


class SyntheticEnvironment(base.Environment):
    """One game of `Synthetic`."""

    def __init__(self, config: Synthetic) -> None:
        self._config = config

    def reset(self, seed: int, observation: np.ndarray) -> None:
        """See base class."""
        self._random = np.random.default_rng(seed)
        self._targets = self._random.integers(
            self._config.num_actions, size=self._config.episode_steps + 1
        )
        self._step = 0
        self._show(observation)

    def step(self, action: int, observation: np.ndarray) -> base.StepResult:
        """See base class."""
        self._spend_time()
        hit = float(action == self._targets[self._step]) / self._config.episode_steps
        self._step += 1
        self._show(observation)
        ended = self._step == self._config.episode_steps
        return base.StepResult(
            reward=hit,
            score=hit,
            terminated=ended and not self._config.time_limit,
            truncated=ended and self._config.time_limit,
        )

    def close(self) -> None:
        """See base class."""

    def _show(self, observation: np.ndarray) -> None:
        observation.fill(0.0)
        observation[self._targets[self._step]] = 1.0

    def _spend_time(self) -> None:
        if not self._config.mean_step_sec:
            return
        duration = self._config.draw_step_sec(self._random)
        if not self._config.burn:
            time.sleep(duration)
            return
        end = time.perf_counter() + duration
        while time.perf_counter() < end:
            pass
