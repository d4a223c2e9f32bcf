"""A game of several players, of which some may be rivals."""

import dataclasses

import numpy as np

from hts_tf import specs
from hts_tf.environments import base


@dataclasses.dataclass(frozen=True)
class Guessing:
    """Each player sees numbers, and is to guess the largest; of so many own players and rivals."""

    own: int = 2
    rivals: int = 1
    length: int = 3
    size: int = 4
    values: int = 5

    @property
    def spec(self):
        return specs.EnvironmentSpec(
            {
                "seen": specs.ArraySpec((self.size,), "float32"),
                specs.ACTION_MASK: specs.ArraySpec((self.values,), "bool"),
            },
            specs.DiscreteSpec(num_values=self.values),
            max_episode_steps=self.length,
            num_players=self.own + self.rivals,
            num_rivals=self.rivals,
        )

    def make(self):
        return _Guessing(self)


class _Guessing(base.Environment):
    def __init__(self, recipe):
        self.recipe = recipe

    def reset(self, seed, observation):
        self.random = np.random.default_rng(seed)
        self.steps = 0
        self._show(observation)

    def step(self, action, observation):
        self.steps += 1
        players = self.recipe.spec.players
        right = np.asarray(self.right == action)
        self._show(observation)
        over = np.full(players, self.steps == self.recipe.length)
        return base.StepResult(right.astype(np.float32), right, over & ~right, over & right)

    def _show(self, observation):
        seen = self.random.random((*self.recipe.spec.players, self.recipe.size))
        self.right = np.argmax(seen, axis=-1)
        observation["seen"][...] = seen
        observation[specs.ACTION_MASK][...] = True

    def close(self):
        self.random = None
