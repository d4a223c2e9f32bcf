"""A game of several players, who leave one after the other, each in a way of its own."""

import dataclasses

import gin
import numpy as np

from hts_tf import specs
from hts_tf.environments import base

NUM_ACTIONS = 3


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Relay:
    """Each player is shown an action that is right: 1 for it, and 0.1 for the others.

    In each env step a player leaves with a probability of 0.1, half of them truncated. The game is
    over when all have, or truncated for the others after `episode_steps`.
    """

    num_players: int = 3
    episode_steps: int = 7

    @property
    def spec(self):
        return specs.EnvironmentSpec(
            specs.ArraySpec((NUM_ACTIONS,), "float32"),
            specs.DiscreteSpec(num_values=NUM_ACTIONS),
            self.episode_steps,
            num_players=self.num_players,
        )

    def make(self):
        return _Game(self)


class _Game(base.Environment):
    def __init__(self, config):
        self._config = config

    def reset(self, seed, observation):
        self._random = np.random.default_rng(seed)
        self._steps = 0
        self._show(observation)

    def step(self, action, observation):
        self._steps += 1
        rewards = 0.1 + 0.9 * (action == self._right)
        leaves = self._random.random(self._config.num_players) < 0.1
        is_cut = self._random.random(self._config.num_players) < 0.5
        truncated = leaves & is_cut | (self._steps == self._config.episode_steps)
        self._show(observation)
        return base.StepResult(rewards, rewards, leaves & ~is_cut, truncated)

    def close(self):
        pass

    def _show(self, observation):
        self._right = self._random.integers(NUM_ACTIONS, size=self._config.num_players)
        observation[...] = self._random.random(observation.shape)
        observation[np.arange(len(self._right)), self._right] += 1
