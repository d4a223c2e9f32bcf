"""The protocol between an executor and an environment.

Observations are written where the caller says (straight into shared memory), never returned.
An episode is history-free: (episode seed, actions so far) determine every observation, reward
and ending to the bit, whatever the environment played before and in whichever process.
"""

from typing import NamedTuple, Protocol

import numpy as np

from hts_tf import specs


class StepResult(NamedTuple):
    """What one env step brought, besides the observation.

    Attributes:
      reward: what the agent learns from.
      score: what is reported as success (football: goals only).
      terminated: the episode ended by the game's rules; the observation after it has no value.
      truncated: a time limit cut the episode; the observation just written is its last one,
        and its value is worth bootstrapping from. Never together with `terminated`.
    """

    reward: float
    score: float
    terminated: bool
    truncated: bool


class Environment(Protocol):
    """One running environment, owned by one executor; used by one thread."""

    def reset(self, seed: int, observation: np.ndarray) -> None:
        """Starts the episode with this seed.

        Args:
          seed: 0 to 2**31 - 1; the only source of randomness of the episode.
          observation: written; array of the spec's shape and dtype.
        """

    def step(self, action: int, observation: np.ndarray) -> StepResult:
        """Plays one env step and writes the observation after it, also at an episode's end."""

    def close(self) -> None:
        """Releases what the environment holds; may be called twice."""


class EnvironmentConfig(Protocol):
    """A validated, picklable recipe: travels to the executors, which call `make`."""

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Known without starting an engine."""

    def make(self) -> Environment:
        """Builds one environment, in the process that will step it."""
