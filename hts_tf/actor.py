"""The actor: a thread that answers whatever observations are ready, as one batch.

It never steps an environment (what IMPALA and Acme call an actor is our executor).
"""

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np

from hts_tf import buffers, specs
from hts_tf.ledger import Ledger
from hts_tf.policy import Policy

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


class Actor:
    """Answers tickets of the state buffer until it is closed.

    Any number of actors may share everything given here: a ticket is held by one of them at a
    time, and each writes only to the slots whose tickets it holds.

    Attributes:
      time: [len(TIMES)] float64, seconds since start.
      batches: how many batches were answered.
      observations: how many observations were in them.
    """

    def __init__(
        self,
        policy: Policy,
        batch_size: int,
        storages: Sequence[specs.Rollout],
        noise: np.ndarray,
        ledger: Ledger,
        claims: Claims,
        control: Mapping[str, np.ndarray],
        state_buffer: buffers.TicketBuffer,
        action_buffers: Sequence[buffers.TicketBuffer],
        finished_buffer: buffers.TicketBuffer,
        owner: np.ndarray,
    ) -> None:
        """Only remembers its arguments.

        Args:
          policy: the behaviour policy.
          batch_size: the most observations in one batch.
          storages: the two data storages.
          noise: [sync_interval, num_envs, num_actions], of the current interval.
          ledger: where each slot stands.
          claims: the same for all actors.
          control: see `executor.control_fields`.
          state_buffer: where the tickets come from.
          action_buffers: where they go, one for each executor.
          finished_buffer: where they go at the end of the interval.
          owner: [num_envs], each slot's executor.
        """
        self._policy = policy
        self._batch_size = batch_size
        self._storages = storages
        self._noise = noise
        self._ledger = ledger
        self._claims = claims
        self._interval = control["interval"]
        self._answered = control["answered"]
        self._state_buffer = state_buffer
        self._action_buffers = action_buffers
        self._finished_buffer = finished_buffer
        self._owner = owner
        self.time = np.zeros(len(TIMES))
        self.batches = 0
        self.observations = 0

    def run(self) -> None:
        """The thread's body; returns when the state buffer is closed."""
        clock = time.perf_counter
        try:
            while True:
                start = clock()
                interval = self._interval[0]
                tickets = self._state_buffer.dequeue_up_to(self._batch_size)
                waited_for = _WAIT_STATE if self._interval[0] == interval else _WAIT_SYNC
                self.time[waited_for] += clock() - start
                slots = self._claims.take(tickets)
                if len(slots):
                    self._answer(slots)
                self.time[_TOTAL] += clock() - start
        except buffers.BufferClosedError:
            pass

    def _answer(self, slots: np.ndarray) -> None:
        storage = self._storages[self._interval[0] % 2]
        sync_interval = len(self._noise)
        place = self._ledger.places(slots)
        steps, last = place.step, place.episode_over
        # Rows that need only a value get some noise too: their action is dropped.
        noise = self._noise[np.minimum(steps, sync_interval - 1), slots]
        start = time.perf_counter()
        action, logits, value = self._policy.act(storage.observation[steps, slots], noise)
        self.time[_INFERENCE] += time.perf_counter() - start
        self.batches += 1
        self.observations += len(slots)

        # The last observation of a truncated episode belongs to the step before.
        storage.truncation_value[steps[last] - 1, slots[last]] = value[last]
        going_on = ~last
        storage.value[steps[going_on], slots[going_on]] = value[going_on]
        acting = going_on & (steps < sync_interval)
        storage.action[steps[acting], slots[acting]] = action[acting]
        storage.logits[steps[acting], slots[acting]] = logits[acting]

        answered = slots[last | acting]
        self._answered[answered] = self._ledger.version[answered]
        owners = self._owner[answered]
        for executor in np.unique(owners):
            self._action_buffers[executor].enqueue(answered[owners == executor])
        finished = slots[going_on & ~acting]
        if len(finished):
            self._finished_buffer.enqueue(finished)
