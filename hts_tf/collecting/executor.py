"""The executor: a process that owns environments and steps them. It never loads TensorFlow.

An executor knows nothing of intervals or sync points. It waits for tickets; each says that the
actors have answered that slot, and the ledger says what to do with it. It may die at any moment:
what it has not committed to the ledger is done again by the one that takes its place.
"""

import contextlib
import dataclasses
import faulthandler
import functools
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hts_tf import rollouts, seeding, trees
from hts_tf.collecting import buffers, shared_memory, timesheet
from hts_tf.collecting.board import Board
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base, checked
from hts_tf.system import child, start, terminal

TIMES = ("step", "reset", "wait_action", "wait_sync", "total")
_STEP, _RESET, _WAIT_ACTION, _WAIT_SYNC, _TOTAL = range(len(TIMES))

# What an executor is doing.
STARTING, WAITING, RESETTING, STEPPING = range(4)

_FAULT_BYTES = 512
_CLOSING_SEC = 5.0  # that environments may take to close, after a failure


@dataclasses.dataclass(frozen=True)
class ExecutorTask:
    """All that an executor process is told.

    Attributes:
      index: number of the executor.
      slots: the environments it owns.
      environment: recipe of each of them.
      seed: of the run.
      step: what a step consists of.
      memory_fd: shared memory, laid out as `memory_fields` says.
      memory_fields: see `SharedArrays`.
      action_fds: of the buffer it takes its tickets from.
      state_fds: of the buffer it puts them into.
      capacity: of these buffers.
    """

    index: int
    slots: Sequence[int]
    environment: base.EnvironmentConfig
    seed: int
    step: rollouts.StepSpec
    memory_fd: int
    memory_fields: shared_memory.Fields
    action_fds: tuple[int, int]
    state_fds: tuple[int, int]
    capacity: int


def control_fields(num_executors: int, traced: bool = False) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the arrays by which the trainer knows what executors do.

    executor_doing: [num_executors, 6] what (see `STARTING` and so on), in which slot and episode,
      of which task, in which env step of it, and since when (`time.monotonic_ns`).
    executor_fault: [num_executors, ...], in UTF-8, which rule an environment broke.
    executor_time: [num_executors, len(TIMES)] seconds since the start of the run.
    executor_stretch, executor_stretches: see `timesheet.ring_fields`.
    """
    return {
        "executor_doing": ((num_executors, 6), "int64"),
        "executor_fault": ((num_executors, _FAULT_BYTES), "uint8"),
        "executor_time": ((num_executors, len(TIMES)), "float64"),
        **{f"executor_{k}": v for k, v in timesheet.ring_fields(num_executors, traced).items()},
    }


def time_sheet(control: Mapping[str, np.ndarray], index: int) -> timesheet.TimeSheet:
    """Returns the time sheet of an executor; see `control_fields`."""
    return timesheet.TimeSheet(
        control["executor_time"][index],
        control["executor_stretch"][index],
        control["executor_stretches"][index : index + 1],
    )


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
          doing: where to note what it is doing, see `control_fields`.
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

    @classmethod
    def of(cls, task: ExecutorTask) -> "Executor":
        """Returns the executor of a task, with its environments."""
        arrays = shared_memory.SharedArrays(task.memory_fields, task.memory_fd)
        control = arrays.group("control")
        doing = control["executor_doing"][task.index].data
        return cls(
            Board(arrays, task.step, task.environment.spec),
            {slot: _make(task.environment, doing) for slot in task.slots},
            task.seed,
            buffers.TicketBuffer(task.capacity, task.action_fds),
            buffers.TicketBuffer(task.capacity, task.state_fds),
            doing,
            time_sheet(control, task.index),
        )

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
        """Closes the environments; may be called twice."""
        for environment in self._environments.values():
            environment.close()

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

        Where one arrives elsewhere, its episode ends. From then on nobody in this run tries again,
        so that whoever takes the place of this executor does the same; and a line says so, once.
        """
        self._astray = {slot for slot in self._environments if not self._restore(slot)}
        if self._astray and not self._board.has_history[0]:
            self._board.has_history[0] = True
            terminal.warn(
                f"environment {', '.join(str(self._board.env(s)) for s in sorted(self._astray))} "
                "does not keep to its "
                "seed: the same actions led its episode to another observation; episodes of "
                "executors that die end as truncated, and results will not repeat",
                page="your_own_environment.md#what-it-may-not-do",
            )

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


def _make(environment: base.EnvironmentConfig, doing: memoryview) -> checked.Checked:
    """Builds one, and tells the trainer: each may take as long as an env step."""
    made = checked.make(environment)
    doing[5] = time.monotonic_ns()
    return made


def main() -> None:
    """Runs the task that the trainer wrote, pickled, to standard input."""
    # A trainer that is killed takes its executors along, even one stuck inside a step.
    start.end_with_parent(parent=int(sys.argv[1]))
    child.end_session_with_this_process()  # the pool does that, too, but may be gone itself
    faulthandler.enable()  # says where, in Python, an engine has crashed
    # Who stops a job may signal all its processes, but it is the trainer who decides when to stop.
    # Not SIG_IGN, which processes that an environment starts would inherit.
    stop_signals = (signal.SIGINT, signal.SIGTERM)
    for number in stop_signals:
        signal.signal(number, lambda *_: None)
        os.register_at_fork(after_in_child=functools.partial(signal.signal, number, signal.SIG_DFL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stop_signals)  # blocked by the pool until here
    executor = None
    try:
        task = pickle.load(sys.stdin.buffer)
        executor = Executor.of(task)
        executor.run()
        executor.close()
    except checked.ProtocolError as error:
        _tell_fault(task, error)
    except Exception:
        # One write: executors share the terminal, and lines of several would mix.
        os.write(2, traceback.format_exc().encode())
    else:
        return
    # What has failed may do so again, or hang; the trainer is not to wait for that.
    threading.Timer(_CLOSING_SEC, os._exit, [1]).start()
    with contextlib.suppress(Exception):
        if executor:
            executor.close()
    sys.stdout.flush()
    os._exit(1)  # without waiting for threads that an environment may have


def _tell_fault(task: ExecutorTask, error: checked.ProtocolError) -> None:
    """Lets the trainer know which rule was broken."""
    arrays = shared_memory.SharedArrays(task.memory_fields, task.memory_fd)
    fault = arrays.group("control")["executor_fault"][task.index]
    text = str(error).encode()[: len(fault)]
    fault[: len(text)] = np.frombuffer(text, np.uint8)
