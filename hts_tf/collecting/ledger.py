"""The episode ledger: where each environment stands, safe against a death at any moment.

Episodes are history-free, so (episode seed, actions so far) is the whole state of an environment:
what a checkpoint stores in place of an engine, and what an executor starts from, also one that
takes the place of a dead one. (Of an environment with history it is not, see `Board.cut`.)
"""

from typing import Any, NamedTuple

import numpy as np

from hts_tf import specs
from hts_tf.collecting import shared_memory


class Place(NamedTuple):
    """Where one slot stands; or several, as arrays.

    Attributes:
      episode: counts the slot's episodes from 0; -1 before the first.
      length: env steps of the episode so far.
      step: env steps of the interval so far; the observation lies in the storage's row `step`.
      episode_over: that observation is the last of a truncated episode (or there is none before
        the first episode): when it has been valued, the next episode begins.
      task: which task the episode is of, see `EnvironmentSpec.num_tasks`.
      interval: number of the interval; modulo the number of storages it selects the one in which
        the observation lies.
    """

    episode: int
    length: int
    step: int
    episode_over: bool
    task: int = 0
    interval: int = 0


BEFORE_THE_FIRST_EPISODE = Place(episode=-1, length=0, step=0, episode_over=True)


def fields(
    num_envs: int,
    max_episode_steps: int,
    action: specs.ArraySpec,
    num_players: int = 1,
    has_rivals: bool = False,
) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the ledger's arrays.

    version: counts each slot's moves. Its parity selects the valid record.
    record: [2, num_envs, ...], each slot's `Place` now, and before or after.
    action: of each slot's episode, [num_envs, max_episode_steps, P, ...].
    met: [num_envs], the number of the opponent in each slot's episode, where there are rivals.
    """
    return {
        **({"met": ((num_envs,), "int32")} if has_rivals else {}),
        "version": ((num_envs,), "int64"),
        "record": ((2, num_envs, len(Place._fields)), "int64"),
        "action": ((num_envs, max_episode_steps, num_players, *action.shape), action.dtype),
    }


class Ledger:
    """The arrays of a ledger.

    A slot is moved by its executor, and from one interval to the next by the trainer. A move is
    all or nothing: the new record is written beside the valid one, and then a single store of the
    version makes it valid. Who dies before has not moved.

    Attributes:
      arrays: name -> array, as `fields` says.
      version: [num_envs] int64, how often each slot has moved.
      moves: the same, for reading single ones in half the time.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.version = arrays["version"]
        self.moves = self.version.data
        self._record = arrays["record"]
        self._fields = self._record.data
        self._action = arrays["action"]
        self._played = shared_memory.played(self._action, axis=2)

    def clear(self) -> None:
        """Sets every slot before its first episode."""
        self._record[...] = BEFORE_THE_FIRST_EPISODE

    def set_interval(self, interval: int) -> None:
        """Says which interval every slot is in, while nobody else looks."""
        self._record[..., Place._fields.index("interval")] = interval

    def place(self, slot: int) -> Place:
        """Returns where a slot stands."""
        fields, valid = self._fields, self.moves[slot] & 1
        return Place(
            fields[valid, slot, 0],
            fields[valid, slot, 1],
            fields[valid, slot, 2],
            bool(fields[valid, slot, 3]),
            fields[valid, slot, 4],
            fields[valid, slot, 5],
        )

    def places(self, slots: np.ndarray) -> Place:
        """Returns where several slots stand, as arrays in their order."""
        columns = self._record[self.version[slots] & 1, slots].T
        episode, length, step, over, task, interval = columns
        return Place(episode, length, step, over.astype(bool), task, interval)

    def move(self, slot: int, place: Place) -> None:
        """Moves a slot on."""
        version = self.moves[slot] + 1
        fields, other = self._fields, version & 1
        fields[other, slot, 0] = place.episode
        fields[other, slot, 1] = place.length
        fields[other, slot, 2] = place.step
        fields[other, slot, 3] = place.episode_over
        fields[other, slot, 4] = place.task
        fields[other, slot, 5] = place.interval
        self.moves[slot] = version

    def write_action(self, slot: int, length: int, action: Any) -> None:
        """Notes the action that is to take a slot's episode from `length` to `length + 1`.

        It counts from the next `move` on.
        """
        self._played[slot, length] = action

    def current(self, slot: int) -> tuple[Place, np.ndarray]:
        """Returns where a slot stands, and its episode's actions so far, [length, P, ...]."""
        place = self.place(slot)
        return place, self._action[slot, : place.length].copy()

    def attempted(self, slot: int, num_steps: int) -> np.ndarray:
        """Returns the first actions that are noted of a slot's episode, [num_steps, P, ...]."""
        return self._action[slot, :num_steps].copy()
