"""A game that is learned in seconds, with any distribution of step times: for tests and benchmarks.

Imported by executor processes: numpy only.
"""

import dataclasses
import time

import gin
import numpy as np

from hts_tf import errors, specs
from hts_tf.environments import base

_UNIT_MEAN_SAMPLERS = {
    "constant": lambda random: 1.0,
    "exponential": lambda random: random.standard_exponential(),
    "gamma": lambda random: random.standard_gamma(4.0) / 4.0,
    "pareto": lambda random: random.pareto(2.5) * 1.5,  # heavy-tailed: infinite third moment
}


@gin.configurable
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
        (shape 4) or 'pareto' (shape 2.5).
      mean_step_sec: mean duration of one env step, in seconds.
      burn: spend it computing instead of sleeping.
    """

    num_actions: int = 4
    episode_steps: int = 16
    time_limit: bool = False
    step_time: str = "constant"
    mean_step_sec: float = 0.0
    burn: bool = False

    def __post_init__(self) -> None:
        """Raises: ConfigError: a setting is out of range."""
        if not 2 <= self.num_actions <= 256:
            raise errors.ConfigError(
                f"Synthetic.num_actions must be 2 to 256, not {self.num_actions}"
            )
        if self.episode_steps < 1:
            raise errors.ConfigError(
                f"Synthetic.episode_steps must be at least 1, not {self.episode_steps}"
            )
        if self.step_time not in _UNIT_MEAN_SAMPLERS:
            raise errors.ConfigError(
                f"Synthetic.step_time must be one of {', '.join(_UNIT_MEAN_SAMPLERS)}, "
                f"not {self.step_time!r}"
            )
        if self.mean_step_sec < 0:
            raise errors.ConfigError(
                f"Synthetic.mean_step_sec must not be negative, not {self.mean_step_sec}"
            )

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """See `EnvironmentSpec`."""
        return specs.EnvironmentSpec(
            observation=specs.ArraySpec((self.num_actions,), "float32"),
            num_actions=self.num_actions,
            max_episode_steps=self.episode_steps,
        )

    def make(self) -> "SyntheticEnvironment":
        """Builds one environment."""
        return SyntheticEnvironment(self)


class SyntheticEnvironment(base.Environment):
    """One game of `Synthetic`."""

    def __init__(self, config: Synthetic) -> None:
        self._config = config
        self._sample = _UNIT_MEAN_SAMPLERS[config.step_time]

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
        duration = self._config.mean_step_sec * self._sample(self._random)
        if not self._config.burn:
            time.sleep(duration)
            return
        end = time.perf_counter() + duration
        while time.perf_counter() < end:
            pass
