"""The executor: owns environments and steps them, in a process that never loads TensorFlow.

An executor knows nothing of intervals or sync points. It waits for tickets; each says that the
actors have answered that slot, and the ledger says what to do with it. It may die at any moment:
what it has not committed to the ledger is done again by the one that takes its place.
"""

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from hts_tf import seeding, trees
from hts_tf.collecting import buffers, timesheet
from hts_tf.collecting.board import Board
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base

TIMES = ("step", "reset", "wait_action", "wait_sync", "total")
_STEP, _RESET, _WAIT_ACTION, _WAIT_SYNC, _TOTAL = range(len(TIMES))

# What an executor is doing.
STARTING, WAITING, RESETTING, STEPPING = range(4)


class Doing(NamedTuple):
    """What an executor is doing, as it tells it.

    Attributes:
      what: `STARTING`, `WAITING`, `RESETTING` or `STEPPING`.
      slot: in which; -1 where it starts.
      episode: in which of it.
      task: that it is of.
      step: which env step of it; 0 in a reset.
      since: when (`time.monotonic_ns`).
    """

    what: int
    slot: int
    episode: int
    task: int
    step: int
    since: int


class Executor:
    """Steps environments, each in the slot that it is given."""

    def __init__(
        self,
        board: Board,
        environments: Mapping[int, base.Environment],
        seed: int,
        actions: buffers.TicketBuffer,
        states: buffers.TicketBuffer,
        doing: memoryview,
        times: timesheet.TimeSheet,
    ) -> None:
        """Only remembers its arguments.

        Args:
          board: of all slots.
          environments: slot -> environment, new ones.
          seed: of the run.
          actions: where the tickets come from.
          states: where they go.
          doing: where to note what it is doing, a `Doing`.
          times: where its time goes.
        """
        self._board = board
        self._ledger = board.ledger
        self._task_ends = board.task_ends.data
        self._environments = environments
        self._seed = seed
        self._actions = actions
        self._states = states
        self._doing = doing
        self._times = times
        self._astray: set[int] = set()  # slots whose environment is not where their episode is
        # Half of the environments go to the actors together, which makes for batches that are
        # worth computing, while the other half keeps this process busy.
        self._group = -(-len(environments) // 2)

    def run(self) -> None:
        """Brings every environment to where it is, then steps them until the buffers close."""
        clock = time.perf_counter
        with contextlib.suppress(buffers.BufferClosedError):
            self._restore_all()
            # A predecessor may have died holding tickets. Duplicates of others do no harm.
            self._serve(self._environments)
            self._states.enqueue(self._environments)
            while True:
                start = clock()
                before = self._board.sync_points()
                self._times.begin(_WAIT_ACTION, start)
                slots = self._actions.dequeue_up_to(self._group)
                waited_for = _WAIT_ACTION if self._board.sync_points() == before else _WAIT_SYNC
                self._times.add(waited_for, start)
                moved = self._serve(slots)
                self._states.enqueue(moved)
                self._times.count(_TOTAL, clock() - start)

    def close(self) -> None:
        """Closes the environments, each even if another fails; may be called twice."""
        with contextlib.ExitStack() as stack:
            for environment in self._environments.values():
                stack.callback(environment.close)

    def _serve(self, slots: Iterable[int]) -> list[int]:
        """Moves those slots on whose turn it is, and returns them."""
        moved = self._board.on_executors_turn(slots)
        for slot in moved:
            self._advance(slot)
        self._doing[0] = WAITING
        return moved

    def _advance(self, slot: int) -> None:
        """Moves a slot to its next observation."""
        board = self._board
        place = self._ledger.place(slot)
        if place.episode_over:
            self._begin_episode(slot, place, board.observation(slot, place))
            return
        if slot in self._astray:
            self._leave_episode(slot, place)
            return
        action, observation = board.begin_step(slot, place)
        self._note(STEPPING, slot, place, place.length)
        start = time.perf_counter()
        result = self._environments[slot].step(action, observation)
        self._times.add(_STEP, start, slot)
        place = board.end_step(slot, place, result)
        if result.is_over and not place.episode_over:
            self._begin_episode(slot, place, observation)
        else:
            self._ledger.move(slot, place)

    def _leave_episode(self, slot: int, place: Place) -> None:
        """Begins the next episode where the environment cannot go on with this one."""
        self._astray.remove(slot)
        if place.length:
            self._board.cut(slot, place)
        else:  # nothing of it has been played: it is begun once more
            place = place._replace(episode=place.episode - 1)
        self._begin_episode(slot, place, self._board.observation(slot, place))

    def _begin_episode(self, slot: int, place: Place, observation: trees.Tree) -> None:
        start = time.perf_counter()
        episode, task, ends = place.episode + 1, 0, self._task_ends
        if len(ends) > 1:
            task = seeding.choice(ends, self._seed, "task", self._board.env(slot), episode)
        place = Place(episode, 0, place.step, False, task, place.interval)
        self._reset(slot, place, observation)
        self._times.add(_RESET, start, slot)
        self._ledger.move(slot, place)

    def _reset(self, slot: int, place: Place, observation: trees.Tree) -> None:
        """Starts the episode that a place is in."""
        self._note(RESETTING, slot, place)
        seed = seeding.episode_seed(
            self._seed,
            self._board.env(slot),
            place.episode,
            task=place.task,
            num_tasks=len(self._task_ends),
        )
        self._environments[slot].reset(seed, observation)

    def _restore_all(self) -> None:
        """Brings every environment to where the ledger says that it is.

        Where one arrives elsewhere, its episode ends.
        """
        self._astray = {slot for slot in self._environments if not self._restore(slot)}
        if self._astray:
            self._board.take_note_of_history(self._astray, "another observation")

    def _restore(self, slot: int) -> bool:
        """Returns whether the observation there is the one that the board has."""
        if self._ledger.place(slot).episode_over:  # it begins with a reset
            return True
        if self._board.has_history[0]:
            return False
        place, actions = self._ledger.current(slot)
        # It stays there, even if the trainer takes the slot to its next interval meanwhile.
        wanted = self._board.observation(slot, place)
        observation = trees.map(np.empty_like, wanted)
        self._reset(slot, place, observation)
        for step, action in enumerate(map(self._board.environment.played, actions)):
            self._note(STEPPING, slot, place, step)
            result = self._environments[slot].step(action, observation)
            if result.is_over:  # where the episode went on before
                return False
        pairs = zip(trees.leaves(observation), trees.leaves(wanted), strict=True)
        return all(came.tobytes() == there.tobytes() for came, there in pairs)

    def _note(self, what: int, slot: int, place: Place, step: int = 0) -> None:
        """Tells the trainer what comes now, in case it takes for ever or is the last."""
        doing = self._doing
        # First since when: what comes now has not taken as long as what was before.
        doing[5] = time.monotonic_ns()
        doing[0], doing[1], doing[2], doing[3] = what, slot, place.episode, place.task
        doing[4] = step
