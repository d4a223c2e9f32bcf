"""Wrappers for Atari games that Gymnasium does not have, as in OpenAI's baselines."""

from typing import Any, SupportsFloat

import gymnasium
import numpy as np


class FireReset(gymnasium.Wrapper):
    """Begins episodes with FIRE and the action after it, as some games wait for FIRE to begin.

    Other games are left alone. Should one be over by then, its episode begins without these.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        meanings = env.unwrapped.get_action_meanings()
        self._first_actions = (1, 2) if len(meanings) > 2 and meanings[1] == "FIRE" else ()

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """See base class."""
        observation, info = self.env.reset(**kwargs)
        for action in self._first_actions:
            observation, _, terminated, truncated, info = self.env.step(action)
            if terminated or truncated:
                return self.env.reset(**kwargs)
        return observation, info


class SignReward(gymnasium.RewardWrapper):
    """Rewards of -1, 0 or 1 (Mnih et al. 2015)."""

    def reward(self, reward: SupportsFloat) -> float:
        """See base class."""
        return float(np.sign(reward))
