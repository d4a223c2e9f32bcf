"""The actor: a thread that answers whatever observations are ready, as one batch.

It never steps an environment (what IMPALA and Acme call an actor is our executor).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hts_tf import specs
from hts_tf.collecting import buffers, timesheet
from hts_tf.collecting.ledger import Ledger
from hts_tf.collecting.policy import Policy

TIMES = ("inference", "wait_state", "wait_sync", "total")
_INFERENCE, _WAIT_STATE, _WAIT_SYNC, _TOTAL = range(len(TIMES))


class Claims:
    """Lets each observation be answered once, however many tickets point at it.

    An executor that takes the place of a dead one cannot know which tickets that one had handed
    over, so it hands over all: some are in two places then. Used by all actors.
    """

    def __init__(self, version: np.ndarray) -> None:
        """Takes everything that is there now as answered.

        Args:
          version: [num_envs], see `Ledger.version`.
        """
        self._version = version
        self._claimed = version.copy()
        self._lock = threading.Lock()

    def take(self, tickets: Sequence[int]) -> np.ndarray:
        """Returns those slots, each once, whose observation nobody has taken so far."""
        slots = np.array(list(dict.fromkeys(tickets)))
        with self._lock:
            version = self._version[slots]
            is_new = version != self._claimed[slots]
            self._claimed[slots] = version
        return slots[is_new]


class Gathering(Claims):
    """Claims of actors that let observations gather while nobody waits for an answer.

    A batch of eight takes hardly longer than one of four. Meanwhile an executor steps what else it
    has; once it has nothing left, or half of all environments ask, they are answered at once. An
    executor with a single environment never waits for company.
    """

    def __init__(self, version: np.ndarray, answered: np.ndarray, owner: np.ndarray) -> None:
        """Starts with nobody asking.

        Args:
          version: [num_envs], see `Ledger.version`.
          answered: [num_envs], see `executor.control_fields`.
          owner: [num_envs], each slot's executor.
        """
        super().__init__(version)
        self._answered = answered
        self._owner = owner
        self._enough = len(owner) // 2
        self._asking: list[int] = []

    def take(self, tickets: Sequence[int]) -> np.ndarray:
        """Returns all slots that ask, or none if they may wait for others."""
        new = super().take(tickets).tolist()
        with self._lock:
            self._asking += new
            if len(self._asking) < self._enough and not self._somebody_waits():
                return np.zeros(0, np.int64)
            slots, self._asking = np.array(self._asking, np.int64), []
            return slots

    def _somebody_waits(self) -> bool:
        """Whether an executor has nothing to do but to wait for those who ask.

        When it gets there, it has just handed over a ticket: so this is called once more.
        """
        busy = set(self._owner[self._answered == self._version].tolist())
        return not busy.issuperset(self._owner[self._asking].tolist())


class Lockstep(Claims):
    """Claims of a single actor that answers every environment at once, or none.

    Environments get out of step, as the last observation of a truncated episode is answered with
    a value only. So those that are waited for are all that have not finished the interval.
    """

    def __init__(self, ledger: Ledger, sync_interval: int) -> None:
        """Expects every slot of the ledger to ask."""
        super().__init__(ledger.version)
        self._ledger = ledger
        self._sync_interval = sync_interval
        self._unfinished = len(ledger.version)
        self._asking: list[int] = []

    def take(self, tickets: Sequence[int]) -> np.ndarray:
        """Returns all slots that have not finished the interval, or none if some still step."""
        self._asking += super().take(tickets).tolist()
        if len(self._asking) < self._unfinished:
            return np.zeros(0, np.int64)
        slots = np.array(self._asking)
        self._asking.clear()
        place = self._ledger.places(slots)
        finishing = (place.step == self._sync_interval) & ~place.episode_over
        # When all have finished, the next to ask is everyone, in the next interval.
        self._unfinished = self._unfinished - np.sum(finishing) or len(self._ledger.version)
        return slots


class Actor:
    """Answers tickets of the state buffer until it is closed.

    Any number of actors may share everything given here: a ticket is held by one of them at a
    time, and each writes only to the slots whose tickets it holds.

    Attributes:
      times: where its time has gone since start.
      batches: how many batches were answered.
      observations: how many observations were in them.
    """

    def __init__(
        self,
        policy: Policy,
        batch_size: int,
        storages: specs.Rollout,
        noise: np.ndarray,
        ledger: Ledger,
        claims: Claims,
        control: Mapping[str, np.ndarray],
        state_buffer: buffers.TicketBuffer,
        action_buffers: Sequence[buffers.TicketBuffer],
        finish: Callable[[np.ndarray], None],
        owner: np.ndarray,
        traced: bool = False,
    ) -> None:
        """Only remembers its arguments.

        Args:
          policy: the behaviour policy.
          batch_size: the most observations in one batch.
          storages: all data storages, [K, T, B, ...].
          noise: [sync_interval, num_envs, num_actions], of each slot's current interval.
          ledger: where each slot stands.
          claims: the same for all actors.
          control: see `executor.control_fields`.
          state_buffer: where the tickets come from.
          action_buffers: where they go, one for each executor.
          finish: takes the slots that have reached the end of their interval.
          owner: [num_envs], each slot's executor.
          traced: whether its time sheet keeps single stretches.
        """
        self._policy = policy
        self._batch_size = batch_size
        self._storages = storages
        self._noise = noise
        self._ledger = ledger
        self._claims = claims
        self._interval = control["interval"]
        self._sync_point = control["sync_point"]
        self._answered = control["answered"]
        self._state_buffer = state_buffer
        self._action_buffers = action_buffers
        self._finish = finish
        self._owner = owner
        self.times = timesheet.TimeSheet.of_thread(len(TIMES), traced)
        self.batches = 0
        self.observations = 0

    def run(self) -> None:
        """The thread's body; returns when the state buffer is closed."""
        clock = time.perf_counter
        try:
            while True:
                start = clock()
                before = self._sync_point[0]
                self.times.begin(_WAIT_STATE, start)
                tickets = self._state_buffer.dequeue_up_to(self._batch_size)
                waited_for = _WAIT_STATE if self._sync_point[0] == before else _WAIT_SYNC
                self.times.add(waited_for, start)
                slots = self._claims.take(tickets)
                for first in range(0, len(slots), self._batch_size):
                    self._answer(slots[first : first + self._batch_size])
                self.times.count(_TOTAL, clock() - start)
        except buffers.BufferClosedError:
            pass

    def _answer(self, slots: np.ndarray) -> None:
        storages = self._storages
        k = self._interval[slots] % len(storages.action)
        sync_interval = len(self._noise)
        place = self._ledger.places(slots)
        steps, last = place.step, place.episode_over
        # Rows that need only a value get some noise too: their action is dropped.
        noise = self._noise[np.minimum(steps, sync_interval - 1), slots]
        start = time.perf_counter()
        action, logits, value = self._policy.act(storages.observation[k, steps, slots], noise)
        self.times.add(_INFERENCE, start, len(slots))
        self.batches += 1
        self.observations += len(slots)

        # The last observation of a truncated episode belongs to the step before.
        storages.truncation_value[k[last], steps[last] - 1, slots[last]] = value[last]
        going_on = ~last
        storages.value[k[going_on], steps[going_on], slots[going_on]] = value[going_on]
        acting = going_on & (steps < sync_interval)
        storages.action[k[acting], steps[acting], slots[acting]] = action[acting]
        storages.logits[k[acting], steps[acting], slots[acting]] = logits[acting]

        answered = slots[last | acting]
        self._answered[answered] = self._ledger.version[answered]
        owners = self._owner[answered]
        for executor in np.unique(owners):
            self._action_buffers[executor].enqueue(answered[owners == executor])
        finished = slots[going_on & ~acting]
        if len(finished):
            self._finish(finished)
