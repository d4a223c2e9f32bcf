"""The unroll collector: a collector without sync points."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from hts_tf import seeding, specs
from hts_tf.collecting import buffers, data_storage
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.ledger import BEFORE_THE_FIRST_EPISODE


class Unrolls(NamedTuple):
    """Completed unrolls, in the order in which they were completed.

    Attributes:
      rollout: [T, n], a copy that stands until the next are taken.
      slots: [n], the environment of each.
      policy_versions: [n], updates that the policy had had when each was begun; it may have had
        more in later steps.
    """

    rollout: specs.Rollout
    slots: np.ndarray
    policy_versions: np.ndarray


class UnrollCollector(Collector):
    """Each slot goes through intervals of its own, here called unrolls, at its own pace.

    Its storages are a ring for each slot: while the learner has not taken what one holds, the
    slot writes the next one. A slot whose ring is full waits until the learner takes an unroll of
    its. Use: when resuming, `restore` before; `start`; `begin_unrolls`; then `take`, again and
    again; finally `close`. All from one thread.

    Attributes:
      policy_version: how many updates the behaviour network has had; whoever updates it says so.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        """As `Collector`; at least two storages."""
        super().__init__(*args, **kwargs)
        # Larger than the others: a slot may have several unrolls in it.
        self._finished_buffer.release()
        self._finished_buffer = buffers.TicketBuffer(self._num_envs * len(self.storages))
        self.policy_version = 0
        self._versions = np.zeros((len(self.storages), self._num_envs), np.int64)
        # Of each slot: the number of the unroll that the learner takes next.
        self._taken = np.zeros(self._num_envs, np.int64)
        self._waiting: set[int] = set()  # slots whose ring is full
        self._lock = threading.Lock()  # of all that is said here about slots' rings

    def begin_unrolls(self) -> None:
        """Lets executors and actors loose, for the rest of the run.

        Raises:
          WorkerError: an executor or actor has failed already.
        """
        for slot, number in enumerate(self._taken.tolist()):
            self._prepare(slot, number)
            self._board.interval[slot] = number
        try:
            self._give_to_executors()
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def take(self, n: int) -> Unrolls:
        """Waits for `n` completed unrolls, and makes room for as many new ones.

        Raises:
          WorkerError: an executor or actor failed meanwhile.
        """
        try:
            slots = self._finished_buffer.dequeue_many(n)
            return self._copy(slots)
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def state(self, next_interval: int) -> dict[str, np.ndarray]:
        """See base class: only what keeps episodes and noise from being used a second time.

        Unlike there, executors and actors go on meanwhile.
        """
        places = [self.ledger.place(slot) for slot in range(self._num_envs)]
        return {
            "unroll/episode": np.array([place.episode for place in places]),
            "unroll/number": self._board.interval.copy(),
        }

    def restore(
        self, state: dict[str, np.ndarray], next_interval: int
    ) -> list[tuple[int, np.ndarray]]:
        """See base class; every slot begins a new episode."""
        self._taken[:] = state["unroll/number"] + 1
        episodes = state["unroll/episode"].tolist()
        for slot, episode in enumerate(episodes):
            self.ledger.move(slot, BEFORE_THE_FIRST_EPISODE._replace(episode=episode))
        return [(episode + 1, np.zeros(0, np.uint8)) for episode in episodes]

    def _copy(self, slots: list[int]) -> Unrolls:
        # Not a buffer that is used again: TensorFlow may still hold on to the last one.
        rollout = data_storage.empty(self._environment.spec, len(self._noise), len(slots))
        versions = np.zeros(len(slots), np.int64)
        for column, slot in enumerate(slots):
            k = self._taken[slot] % len(self.storages)
            for target, source in zip(rollout, self.storages[k], strict=True):
                target[:, column] = source[:, slot]
            versions[column] = self._versions[k, slot]
            with self._lock:
                self._taken[slot] += 1
                if slot in self._waiting:
                    self._waiting.remove(slot)
                    self._go_on([slot])
        return Unrolls(rollout, np.array(slots), versions)

    def _finish(self, slots: np.ndarray) -> None:
        """See base class."""
        slots = slots.tolist()
        self._finished_buffer.enqueue(slots)
        with self._lock:
            self._go_on(slots)

    def _go_on(self, slots: Iterable[int]) -> None:
        """Begins the next unroll of slots, where there is room; called with the lock held."""
        for slot in slots:
            number = int(self._board.interval[slot]) + 1
            if number - self._taken[slot] == len(self.storages):
                self._waiting.add(slot)
                continue
            self._prepare(slot, number)
            self._board.enter_interval(slot, number)
            self._state_buffer.enqueue([slot])

    def _prepare(self, slot: int, number: int) -> None:
        """Sets what actors need to know of a slot's unroll of that number."""
        self._noise[:, slot] = seeding.gumbel_noise(
            self._seed, number * self._num_envs + slot, self._noise[:, slot].shape
        )
        self._versions[number % len(self.storages), slot] = self.policy_version
