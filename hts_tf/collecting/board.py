"""The board, the slot protocol in one place: whose turn it is, and what a turn writes.

Executors and actors take turns in every slot. It is the executor's turn where the slot has been
answered since it last moved, else the actors'. So a ticket only says: look there; one too many is
ignored, and one that was lost can be replaced without knowing whether it was.

A successor of a dead executor may assume only what is here: a move is all or nothing (see
`Ledger.move`), and all that was written to the storage before it is written again, to the same
bits. Imported by executor processes: numpy only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hts_tf import specs, trees
from hts_tf.collecting import data_storage, ledger, shared_memory
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base


def fields(
    step: specs.StepSpec,
    max_episode_steps: int,
    sync_interval: int,
    num_envs: int,
    num_storages: int,
) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the arrays, all in shared memory.

    storage/...: see `data_storage.fields`.
    ledger/...: see `ledger.fields`.
    board/interval: [num_envs], number of the interval that each slot is in; modulo the number of
      storages it selects the one that the slot is written to.
    board/sync_point: how many sync points there have been: tells one wait from another.
    board/answered: [num_envs], the ledger's version at which each slot was last answered.
    """
    return shared_memory.grouped(
        storage=data_storage.fields(step, sync_interval, num_envs, num_storages),
        ledger=ledger.fields(num_envs, max_episode_steps, step.action),
        board={
            "interval": ((num_envs,), "int64"),
            "sync_point": ((1,), "int64"),
            "answered": ((num_envs,), "int64"),
        },
    )


class Questions(NamedTuple):
    """What actors are asked in n slots.

    Attributes:
      slots: [n].
      storage: [n], the storage that each is written to.
      step: [n], the row of the observation.
      is_last: [n] bool, whether it is the last of a truncated episode, to be valued only.
      observation: [n, P, ...].
    """

    slots: np.ndarray
    storage: np.ndarray
    step: np.ndarray
    is_last: np.ndarray
    observation: trees.Tree


class Board:
    """What all workers share of the slots.

    A slot is written to by one worker at a time: its executor, an actor that holds its ticket, or,
    while nobody has its turn, the trainer.

    Attributes:
      storages: all data storages, [K, T, N, P, ...].
      ledger: of the episodes being played.
      sync_interval: T.
      interval: [num_envs], see `fields`.
      answered: [num_envs], see `fields`.
    """

    def __init__(self, arrays: shared_memory.SharedArrays, step: specs.StepSpec) -> None:
        """Goes on with what is there, or was `cleared`."""
        self.storages = data_storage.read(arrays, step)
        self.ledger = ledger.Ledger(arrays.group("ledger"))
        own = arrays.group("board")
        self.interval = own["interval"]
        self.answered = own["answered"]
        self.sync_interval = self.storages.action.shape[1]
        self._num_storages = len(self.storages.action)
        self._interval = self.interval.data
        self._answered = self.answered.data
        self._sync_point = own["sync_point"].data

        def of_player(array: np.ndarray) -> np.ndarray | memoryview:
            return shared_memory.by_element(array[:, :, :, 0], axes=3)

        self._observation = trees.map(lambda array: array[:, :, :, 0], self.storages.observation)
        self._action = of_player(self.storages.action)
        self._reward = of_player(self.storages.reward)
        self._score = of_player(self.storages.score)
        self._terminated = of_player(self.storages.terminated)
        self._truncated = of_player(self.storages.truncated)

    def clear(self) -> None:
        """Sets every slot before its first episode, with nobody's turn yet."""
        self.ledger.clear()
        self.answered.fill(-1)

    def sync_points(self) -> int:
        """Returns how many sync points there have been."""
        return self._sync_point[0]

    # ---- The executors' turn --------------------------------------------------------------------

    def is_executors_turn(self, slot: int) -> bool:
        """Returns whether a slot has been answered since it last moved."""
        return self._answered[slot] == self.ledger.moves(slot)

    def observation(self, slot: int, step: int) -> trees.Tree:
        """Returns where a slot's observation of a step of its interval is written."""
        k = self._interval[slot] % self._num_storages
        return trees.map(lambda array: array[k, step, slot, ...], self._observation)

    def begin_step(self, slot: int, place: Place) -> Any:
        """Returns the action to play, after noting it in the ledger.

        Args:
          slot: whose turn it is.
          place: where it stands.
        """
        action = self._action[self._interval[slot] % self._num_storages, place.step, slot]
        self.ledger.write_action(slot, place.length, action)
        return action

    def end_step(self, slot: int, place: Place, result: base.StepResult) -> Place:
        """Writes what the step brought, and returns the place after it, to be moved to.

        Args:
          slot: as in `begin_step`.
          place: the same as there.
          result: of the env step; its observation has been written.
        """
        k, step = self._interval[slot] % self._num_storages, place.step
        self._reward[k, step, slot] = result.reward
        self._score[k, step, slot] = result.score
        self._terminated[k, step, slot] = result.terminated
        self._truncated[k, step, slot] = result.truncated
        return Place(place.episode, place.length + 1, step + 1, bool(result.truncated))

    # ---- The actors' turn -----------------------------------------------------------------------

    def questions(self, slots: np.ndarray) -> Questions:
        """Returns what is asked in some slots, all of them on the actors' turn."""
        place = self.ledger.places(slots)
        k = self.interval[slots] % self._num_storages
        observation = trees.map(lambda a: a[k, place.step, slots], self.storages.observation)
        return Questions(slots, k, place.step, place.episode_over, observation)

    def answer(self, asked: Questions, answer: specs.Answer) -> tuple[np.ndarray, np.ndarray]:
        """Writes the answers, each [n, P, ...], in one of three ways.

        An ordinary observation gets an action, and it is the executor's turn. The last one of a
        truncated episode gets a value only, which belongs to the step before, and it is the
        executor's turn, too. The one at the interval's end gets a value only, and the slot has
        finished: nobody's turn until the trainer begins its next interval.

        Returns:
          The slots in which it is the executors' turn now, and those that have finished.
        """
        slots, k, step, is_last, _ = asked
        storages = self.storages
        value = answer.value
        storages.truncation_value[k[is_last], step[is_last] - 1, slots[is_last]] = value[is_last]
        going_on = ~is_last
        storages.value[k[going_on], step[going_on], slots[going_on]] = value[going_on]
        acting = going_on & (step < self.sync_interval)

        def write(target: np.ndarray, source: np.ndarray) -> None:
            target[k[acting], step[acting], slots[acting]] = source[acting]

        trees.map(write, (storages.action, storages.policy), (answer.action, answer.policy))
        answered = slots[is_last | acting]
        self.give_to_executors(answered)
        return answered, slots[going_on & ~acting]

    # ---- Between intervals ----------------------------------------------------------------------

    def give_to_executors(self, slots: Sequence[int] | np.ndarray | slice = slice(None)) -> None:
        """Says that it is the executors' turn in some slots, or in all of them."""
        self.answered[slots] = self.ledger.version[slots]

    def next_sync_point(self) -> None:
        """Counts a sync point."""
        self._sync_point[0] += 1

    def enter_interval(self, slot: int, interval: int) -> None:
        """Takes a slot that has finished an interval to step 0 of the next: the actors' turn.

        The last observation of the one is the first of the other. Numbering comes before the move,
        which is last: from there on, a ticket that a dead executor has left is worth as much as
        any other.
        """
        before, now = (number % self._num_storages for number in (interval - 1, interval))
        for _, array in trees.named(self.storages.observation):
            array[now, 0, slot] = array[before, -1, slot]
        self.interval[slot] = interval
        self.ledger.move(slot, self.ledger.place(slot)._replace(step=0))
