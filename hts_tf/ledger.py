"""The episode ledger: which episode each environment plays, and the actions taken in it so far.

Episodes are history-free, so (episode seed, actions so far) is the whole state of an environment:
what a checkpoint stores in place of an engine, and what an executor starts from.
"""

import numpy as np

from hts_tf import shared_memory


def fields(num_envs: int, max_episode_steps: int) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the ledger's arrays.

    `episode` counts each environment's episodes from 0, `length` is in env steps.
    """
    return {
        "episode": ((num_envs,), "int64"),
        "length": ((num_envs,), "int32"),
        "action": ((num_envs, max_episode_steps), "uint8"),
    }


class Ledger:
    """The arrays of a ledger, each slot written by the one executor that owns it.

    Attributes:
      arrays: name -> array, as `fields` says.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._episode = arrays["episode"]
        self._length = arrays["length"]
        self._action = arrays["action"]

    def append(self, slot: int, action: int) -> None:
        """Records an action of the slot's current episode.

        Raises:
          IndexError: the episode is longer than the environment's spec says.
        """
        length = self._length[slot]
        self._action[slot, length] = action
        self._length[slot] = length + 1

    def next_episode(self, slot: int) -> None:
        """Moves the slot on to its next episode, of which nothing is played yet."""
        self._length[slot] = 0
        self._episode[slot] += 1

    def current(self, slot: int) -> tuple[int, np.ndarray]:
        """Returns (episode, actions so far [length] uint8) of a slot."""
        return int(self._episode[slot]), self._action[slot, : self._length[slot]].copy()
