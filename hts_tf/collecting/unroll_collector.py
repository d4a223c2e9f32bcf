"""The unroll collector: every slot goes at its own pace, and nobody waits for all of them."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from hts_tf import rollouts
from hts_tf.collecting import data_storage
from hts_tf.collecting.ledger import BEFORE_THE_FIRST_EPISODE, Place
from hts_tf.collecting.workers import Workers


class Unrolls(NamedTuple):
    """Completed unrolls, in the order in which they were completed.

    Attributes:
      rollout: [T, n, P, ...], a copy of their own.
      slots: [n], the environment of each.
      policy_versions: [n], updates that the policy had had when each was begun; it may have had
        more in later steps.
    """

    rollout: rollouts.Rollout
    slots: np.ndarray
    policy_versions: np.ndarray


class UnrollCollector:
    """Takes each slot through intervals of its own, here called unrolls.

    Its storages are a ring for each slot: while the learner has not taken what one holds, the
    slot writes the next one. A slot whose ring is full waits until the learner takes an unroll of
    its. Use: when resuming, `restore` before; `start`; `begin`; then `take`, again and
    again; finally `close`. All from one thread.

    Attributes:
      workers: who do it.
      storages: the data storages; a slot's unroll i fills storages[i % len(storages)].
      policy_version: how many updates the behaviour agent has had; whoever updates it says so.
    """

    def __init__(self, workers: Workers) -> None:
        """Starts nothing; with two storages, at least."""
        self.workers = workers
        self.storages = data_storage.each(workers.board.storages)
        self.policy_version = 0
        self._cut_short = np.zeros((0, 0), bool)  # of the unrolls taken last
        self._board = workers.board
        self._num_envs = workers.crew.num_envs
        # A slot may have several unrolls in it.
        self._finished = workers.new_buffer(self._num_envs * len(self.storages))
        self._versions = np.zeros((len(self.storages), self._num_envs), np.int64)
        # Of each slot: the number of the unroll that the learner takes next.
        self._taken = np.zeros(self._num_envs, np.int64)
        self._waiting: set[int] = set()  # slots whose ring is full
        self._lock = threading.Lock()  # of all that is said here about slots' rings

    def start(self) -> None:
        """Starts executors and actors, and returns at once."""
        self.workers.start(self._finish)

    def begin(self) -> None:
        """Has executors and actors begin, for the rest of the run.

        Raises:
          WorkerError: an executor or actor has failed already.
        """
        for slot, number in enumerate(self._taken.tolist()):
            self._prepare(slot, number)
        with self.workers.failing():
            self.workers.give_to_executors()

    def take(self, n: int) -> Unrolls:
        """Waits for `n` completed unrolls, and makes room for as many new ones.

        Raises:
          WorkerError: an executor or actor failed meanwhile.
        """
        with self.workers.failing():
            return self._copy(self._finished.dequeue_many(n))

    def cut_short(self, interval: int) -> np.ndarray:
        """Returns where episodes were in the unrolls taken last, [T, n] bool; see `Board.cut`."""
        return self._cut_short

    def state(self, next_interval: int) -> dict[str, np.ndarray]:
        """Returns what `restore` takes: what keeps episodes and noise from being used twice.

        Executors and actors go on meanwhile.
        """
        ledger = self._board.ledger
        places = [ledger.place(slot) for slot in range(self._num_envs)]
        return {
            "unroll/episode": np.array([place.episode for place in places]),
            "unroll/number": np.array([place.interval for place in places]),
        }

    def restore(
        self, state: dict[str, np.ndarray], next_interval: int
    ) -> list[tuple[Place, np.ndarray]]:
        """Goes on from a saved state; every slot begins a new episode.

        Returns:
          For each slot, the beginning of that episode, and no actions [0, P, ...].
        """
        self._taken[:] = state["unroll/number"] + 1
        episodes = state["unroll/episode"].tolist()
        for slot, (episode, number) in enumerate(zip(episodes, self._taken.tolist(), strict=True)):
            place = BEFORE_THE_FIRST_EPISODE._replace(episode=episode, interval=number)
            self._board.ledger.move(slot, place)
        no_actions = self.storages[0].action[:0, 0]
        beginnings = (Place(episode + 1, 0, 0, episode_over=False) for episode in episodes)
        return [(beginning, no_actions) for beginning in beginnings]

    def close(self) -> None:
        """Stops all workers and gives everything back; may be called twice."""
        self.workers.close()

    def _copy(self, slots: list[int]) -> Unrolls:
        # Not a buffer that is used again: TensorFlow may still hold on to the last one.
        board = self._board
        rollout = data_storage.empty(
            self.workers.step, board.sync_interval, len(slots), board.num_players
        )
        versions = np.zeros(len(slots), np.int64)
        self._cut_short = np.zeros((self._board.sync_interval, len(slots)), bool)
        for column, slot in enumerate(slots):
            k = self._taken[slot] % len(self.storages)
            data_storage.copy_slot(self.storages[k], slot, rollout, column)
            versions[column] = self._versions[k, slot]
            self._cut_short[:, column] = self._board.cut_short[k, :, slot]
            with self._lock:
                self._taken[slot] += 1
                if slot in self._waiting:
                    self._waiting.remove(slot)
                    self._go_on([slot])
        return Unrolls(rollout, np.array(slots), versions)

    def _finish(self, slots: np.ndarray) -> None:
        slots = slots.tolist()
        self._finished.enqueue(slots)
        with self._lock:
            self._go_on(slots)

    def _go_on(self, slots: Iterable[int]) -> None:
        """Begins the next unroll of slots, where there is room; called with the lock held."""
        for slot in slots:
            number = self._board.ledger.place(slot).interval + 1
            if number - self._taken[slot] == len(self.storages):
                self._waiting.add(slot)
                continue
            self._prepare(slot, number)
            self._board.enter_interval([slot], number)
            self.workers.ask_actors([slot])

    def _prepare(self, slot: int, number: int) -> None:
        """Sets what actors need to know of a slot's unroll of that number."""
        self.workers.set_noise(number * self._num_envs + slot, slice(slot, slot + 1))
        self._versions[number % len(self.storages), slot] = self.policy_version
