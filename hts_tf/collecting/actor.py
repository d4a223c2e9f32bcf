"""The actor: a thread that answers whatever observations are ready, as one batch.

It never steps an environment (what IMPALA and Acme call an actor is our executor).
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from hts_tf import rollouts, trees
from hts_tf.collecting import buffers, timesheet
from hts_tf.collecting.board import Board, Questions, in_rows
from hts_tf.collecting.policy import Policy

TIMES = ("inference", "wait_state", "wait_sync", "total")
_INFERENCE, _WAIT_STATE, _WAIT_SYNC, _TOTAL = range(len(TIMES))


class Rivals(Protocol):
    """Who play the players of another side; see `opponents.pool.Pool`."""

    def number(self, env: int, episode: int) -> int:
        """Returns whom an environment's episode meets, if it begins now; 0: the policy itself."""

    def act(
        self, who: np.ndarray, observation: trees.Tree, noise: np.ndarray, state: trees.Tree
    ) -> rollouts.Answer:
        """Answers observations [n, ...], each by the policy that is to, [n]."""


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

    def __init__(self, board: Board, owner: np.ndarray) -> None:
        """Starts with nobody asking.

        Args:
          board: of all slots.
          owner: [num_envs], each slot's executor.
        """
        super().__init__(board.ledger.version)
        self._answered = board.answered
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

    def __init__(self, board: Board) -> None:
        """Expects every slot of the board to ask."""
        super().__init__(board.ledger.version)
        self._ledger = board.ledger
        self._sync_interval = board.sync_interval
        self._unfinished = len(board.ledger.version)
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
      observations: of how many environments.
    """

    def __init__(
        self,
        board: Board,
        policy: Policy,
        noise: np.ndarray,
        claims: Claims,
        batch_size: int,
        state_buffer: buffers.TicketBuffer,
        hand_over: Callable[[np.ndarray, np.ndarray], None],
        traced: bool = False,
        rivals: Rivals | None = None,
    ) -> None:
        """Only remembers its arguments.

        Args:
          board: of all slots.
          policy: the behaviour policy.
          noise: [T, N, P, ...], of each slot's current interval.
          claims: the same for all actors.
          batch_size: the most environments whose observations are in one batch.
          state_buffer: where the tickets come from.
          hand_over: takes the slots in which it is the executors' turn, and those that have
            finished their interval.
          traced: whether its time sheet keeps single stretches.
          rivals: who play those of the other side; None lets the policy.
        """
        self._board = board
        self._rivals = rivals
        self._policy = policy
        self._noise = noise
        self._claims = claims
        self._batch_size = batch_size
        self._state_buffer = state_buffer
        self._hand_over = hand_over
        self.times = timesheet.TimeSheet.of_thread(len(TIMES), traced)
        self.batches = 0
        self.observations = 0

    def run(self) -> None:
        """The thread's body; returns when the state buffer is closed."""
        clock = time.perf_counter
        try:
            while True:
                start = clock()
                before = self._board.sync_points()
                self.times.begin(_WAIT_STATE, start)
                tickets = self._state_buffer.dequeue_up_to(self._batch_size)
                waited_for = _WAIT_STATE if self._board.sync_points() == before else _WAIT_SYNC
                self.times.add(waited_for, start)
                slots = self._claims.take(tickets)
                for first in range(0, len(slots), self._batch_size):
                    self._answer(slots[first : first + self._batch_size])
                self.times.count(_TOTAL, clock() - start)
        except buffers.BufferClosedError:
            pass

    def _answer(self, slots: np.ndarray) -> None:
        asked = self._board.questions(slots)
        # Rows that need only a value get some noise too: their action is dropped.
        noise = in_rows(self._noise[np.minimum(asked.step, len(self._noise) - 1), slots])
        start = time.perf_counter()
        who = self._who_is_to_answer(asked)
        if self._rivals is None:
            answer = self._policy.act(asked.observation, noise, asked.state)
        else:
            answer = self._rivals.act(who, asked.observation, noise, asked.state)
        self.times.add(_INFERENCE, start, len(slots))
        self.batches += 1
        self.observations += len(slots)
        self._hand_over(*self._board.answer(asked, answer, who))

    def _who_is_to_answer(self, asked: Questions) -> np.ndarray | None:
        """Returns it, [n * P], by number; None where there are no rivals.

        Whom an episode meets is settled when its first action is chosen: an interval's end asks for
        no action, and by the next interval there may be others to meet.
        """
        num_rivals = self._board.environment.num_rivals
        if not num_rivals:
            return None
        met = self._board.met
        if self._rivals is not None:
            begins = asked.is_first & ~asked.is_last & (asked.step < self._board.sync_interval)
            for slot in asked.slots[begins].tolist():
                place = self._board.ledger.place(slot)
                met[slot] = 0  # itself, also where a task has no rivals
                if self._board.environment.has_rivals(place.task):
                    met[slot] = self._rivals.number(self._board.env(slot), place.episode)
        who = np.zeros((len(asked.slots), self._board.num_players), np.int32)
        who[:, -num_rivals:] = met[asked.slots, None]
        return who.ravel()
