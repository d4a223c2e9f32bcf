"""CartPole as a simulator whose steps take time, and unevenly much: `UnevenCartPole-v0`."""

import time
from typing import Any

import gymnasium
from gymnasium.envs.classic_control.cartpole import CartPoleEnv


class UnevenCartPole(CartPoleEnv):
    """Sleeps in each env step; durations are exponentially distributed, of the episode's seed."""

    def __init__(self, mean_step_sec: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._mean_step_sec = mean_step_sec

    def step(self, action: int) -> tuple:
        """See base class."""
        time.sleep(self._mean_step_sec * self.np_random.standard_exponential())
        return super().step(action)


gymnasium.register("UnevenCartPole-v0", UnevenCartPole, max_episode_steps=500)
