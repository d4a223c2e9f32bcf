"""Parallel PettingZoo environments for tests: each function is one, as modules have them."""

import sys
import types
from typing import ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Herd(ParallelEnv):
    """Agents who leave one after the other, rewarded for saying what they are shown.

    Everything random is drawn from the seed of `reset`.
    """

    metadata: ClassVar = {"name": "herd_v0", "render_modes": ["rgb_array"], "render_fps": 5}

    def __init__(
        self,
        sizes=(3, 3, 3),
        values=(3, 3, 3),
        max_cycles=8,
        masked=False,
        told=False,
        render_mode=None,
        keys=("observation", "observation", "observation"),
    ):
        self.possible_agents = [f"sheep_{index}" for index in range(len(sizes))]
        self.max_cycles = max_cycles
        self.render_mode = render_mode
        self._sizes = dict(zip(self.possible_agents, sizes, strict=True))
        self._values = dict(zip(self.possible_agents, values, strict=True))
        self._masked, self._told = masked, told
        self._keys = dict(zip(self.possible_agents, keys, strict=False))
        self.state_space = spaces.Box(0, 1, (4,), np.float32)
        self._spaces = {agent: self._space(agent) for agent in self.possible_agents}
        self._actions = {agent: spaces.Discrete(n) for agent, n in self._values.items()}

    def _space(self, agent):
        seen = spaces.Box(0, 2, (self._sizes[agent],), np.float32)
        if not self._masked or self._told:
            return seen
        mask = spaces.Box(0, 1, (self._values[agent],), np.int8)
        return spaces.Dict({self._keys[agent]: seen, "action_mask": mask})

    def observation_space(self, agent):
        return self._spaces[agent]

    def action_space(self, agent):
        return self._actions[agent]

    def reset(self, seed=None, options=None):
        self._random = np.random.default_rng(seed)
        self._steps = 0
        self.agents = list(self.possible_agents)
        return self._seen(self.agents), self._infos(self.agents)

    def step(self, actions):
        self._steps += 1
        if set(actions) != set(self.agents):
            raise ValueError(f"actions of {sorted(actions)} for {self.agents}")
        rewards, terminated, truncated = {}, {}, {}
        for agent, action in actions.items():
            if self._masked and not self._masks[agent][action]:
                raise ValueError(f"{agent} may not do {action}")
            rewards[agent] = 0.1 + 0.9 * float(action == self._right[agent])
            leaves = self._random.random() < 0.1
            terminated[agent] = bool(leaves and self._random.random() < 0.5)
            truncated[agent] = bool(
                (leaves and not terminated[agent]) or self._steps >= self.max_cycles
            )
        seen = self._seen(self.agents)
        for agent in actions:
            if self._masked and (terminated[agent] or truncated[agent]):
                self._masks[agent].fill(0)  # as it has left, nothing
        self.agents = [a for a in self.agents if not (terminated[a] or truncated[a])]
        return seen, rewards, terminated, truncated, self._infos(rewards)

    def state(self):
        return np.full(4, self._steps / self.max_cycles, np.float32)

    def render(self):
        return np.full((20, 30, 3), 10 * self._steps, np.uint8)

    def _seen(self, agents):
        self._right, self._masks, seen = {}, {}, {}
        for agent in agents:
            values = min(self._sizes[agent], self._values[agent])
            self._right[agent] = self._random.integers(values)
            vector = self._random.random(self._sizes[agent]).astype(np.float32)
            vector[self._right[agent]] += 1
            seen[agent] = vector
            mask = (self._random.random(self._values[agent]) < 0.5).astype(np.int8)
            mask[self._right[agent]] = 1
            self._masks[agent] = mask
            if self._masked and not self._told:
                seen[agent] = {self._keys[agent]: vector, "action_mask": mask}
        return seen

    def _infos(self, agents):
        told = self._masked and self._told
        return {agent: {"action_mask": self._masks[agent]} if told else {} for agent in agents}


def _module(name, environment):
    module = types.ModuleType(f"{__name__}.{name}")
    module.parallel_env = environment
    sys.modules[module.__name__] = module
    return module


parallel_env = Herd
