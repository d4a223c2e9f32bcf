"""A wrapper that hides a part of what there is to see."""

from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium import spaces


class KeepEntries(gymnasium.ObservationWrapper):
    """Keeps some numbers of a vector, such as CartPole's positions without its velocities.

    What is hidden has to be worked out from what was seen before, which takes memory (as in
    Wierstra et al. 2007, "Solving Deep Memory POMDPs with Recurrent Policy Gradients").
    """

    def __init__(self, env: gymnasium.Env, indices: Sequence[int]) -> None:
        """Chooses numbers.

        Args:
          env: its observations are vectors.
          indices: of the numbers that stay, in their new order; from 0, each once at most.

        Raises:
          ValueError: the observations are no vectors, or do not have these numbers.
        """
        super().__init__(env)
        seen = env.observation_space
        if not isinstance(seen, spaces.Box) or len(seen.shape) != 1:
            raise ValueError(f"observations are {seen}, not vectors")
        (size,) = seen.shape
        if not indices or sorted({*indices} & {*range(size)}) != sorted(indices):
            raise ValueError(f"indices must be different numbers from 0 to {size - 1}")
        self._indices = [int(index) for index in indices]
        low, high = seen.low[self._indices], seen.high[self._indices]
        self.observation_space = spaces.Box(low, high, dtype=seen.dtype)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """See base class."""
        return observation[self._indices]
