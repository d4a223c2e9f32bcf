"""The executor: a process that owns environments and steps them. It never loads TensorFlow.

An executor knows nothing of intervals or sync points. It waits for tickets; each says that the
actors have answered that slot, and the control arrays say what to do with it.
"""

import ctypes
import dataclasses
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Sequence

import numpy as np

from hts_tf import buffers, data_storage, ledger, seeding, shared_memory
from hts_tf.environments import base

STORAGES = ("storage_0", "storage_1")
TIMES = ("step", "reset", "wait_action", "wait_sync", "total")
_STEP, _RESET, _WAIT_ACTION, _WAIT_SYNC, _TOTAL = range(len(TIMES))
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class ExecutorTask:
    """All that an executor process is told.

    Attributes:
      index: number of the executor.
      slots: the environments it owns.
      environment: recipe of each of them.
      seed: of the run.
      memory_fd: shared memory, laid out as `memory_fields` says.
      memory_fields: see `SharedArrays`.
      action_fds: of the buffer it takes its tickets from.
      state_fds: of the buffer it puts them into.
      finished_fds: of the buffer where it reports environments that are ready at start-up.
      capacity: of these buffers.
    """

    index: int
    slots: Sequence[int]
    environment: base.EnvironmentConfig
    seed: int
    memory_fd: int
    memory_fields: shared_memory.Fields
    action_fds: tuple[int, int]
    state_fds: tuple[int, int]
    finished_fds: tuple[int, int]
    capacity: int


def control_fields(num_envs: int, num_executors: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Returns name -> (shape, dtype) of the arrays by which the roles know where they are.

    interval: number of the interval being collected; its parity selects the storage.
    step: [num_envs], env steps of this interval that each environment has made. Its observation
      lies in the storage's row `step`.
    awaits_truncation_value: [num_envs], the environment was truncated and that observation is the
      last of its episode: the actors are asked for its value only.
    executor_time: [num_executors, len(TIMES)] seconds since start.
    """
    return {
        "interval": ((1,), "int64"),
        "step": ((num_envs,), "int32"),
        "awaits_truncation_value": ((num_envs,), "bool"),
        "executor_time": ((num_executors, len(TIMES)), "float64"),
    }


class Executor:
    """Steps the environments of one task."""

    def __init__(self, task: ExecutorTask) -> None:
        self._seed = task.seed
        self._slots = task.slots
        # Half of the environments go to the actors together, which makes for batches that are
        # worth computing, while the other half keeps this process busy.
        self._group = -(-len(task.slots) // 2)
        self._actions = buffers.TicketBuffer(task.capacity, task.action_fds)
        self._states = buffers.TicketBuffer(task.capacity, task.state_fds)
        self._finished = buffers.TicketBuffer(task.capacity, task.finished_fds)
        arrays = shared_memory.SharedArrays(task.memory_fields, task.memory_fd)
        self._storages = [data_storage.read(arrays, name) for name in STORAGES]
        self._ledger = ledger.Ledger(arrays.group("ledger"))
        control = arrays.group("control")
        self._interval = control["interval"]
        self._step = control["step"]
        self._awaits_truncation_value = control["awaits_truncation_value"]
        self._time = control["executor_time"][task.index]
        self._time.fill(0.0)
        self._environments = {slot: task.environment.make() for slot in task.slots}

    def run(self) -> None:
        """Rebuilds every environment from the ledger, then steps them until the buffers close."""
        clock = time.perf_counter
        start = clock()
        for slot in self._slots:
            self._restore(slot)
            self._finished.enqueue([slot])
        self._time[_TOTAL] += clock() - start
        try:
            while True:
                start = clock()
                interval = self._interval[0]
                slots = self._actions.dequeue_up_to(self._group)
                waited_for = _WAIT_ACTION if self._interval[0] == interval else _WAIT_SYNC
                self._time[waited_for] += clock() - start
                for slot in slots:
                    self._advance(slot)
                self._states.enqueue(slots)
                self._time[_TOTAL] += clock() - start
        except buffers.BufferClosedError:
            pass
        finally:
            for environment in self._environments.values():
                environment.close()

    def _advance(self, slot: int) -> None:
        """Moves a slot to its next observation."""
        storage = self._storages[self._interval[0] % 2]
        step = self._step[slot]
        if self._awaits_truncation_value[
            slot
        ]:  # the actors have valued the last observation of its episode
            self._awaits_truncation_value[slot] = False
            self._begin_episode(slot, storage.observation[step, slot])
            return
        action = int(storage.action[step, slot])
        self._ledger.append(slot, action)
        observation = storage.observation[step + 1, slot]
        start = time.perf_counter()
        result = self._environments[slot].step(action, observation)
        self._time[_STEP] += time.perf_counter() - start
        storage.reward[step, slot] = result.reward
        storage.score[step, slot] = result.score
        storage.terminated[step, slot] = result.terminated
        storage.truncated[step, slot] = result.truncated
        if result.terminated:
            self._begin_episode(slot, observation)
        self._awaits_truncation_value[slot] = result.truncated
        self._step[slot] = step + 1

    def _begin_episode(self, slot: int, observation: np.ndarray) -> None:
        self._ledger.next_episode(slot)
        self._reset(slot, observation)

    def _reset(self, slot: int, observation: np.ndarray) -> None:
        start = time.perf_counter()
        episode, _ = self._ledger.current(slot)
        seed = seeding.episode_seed(self._seed, slot, episode)
        self._environments[slot].reset(seed, observation)
        self._time[_RESET] += time.perf_counter() - start

    def _restore(self, slot: int) -> None:
        """Brings a new environment to where the ledger says that the slot is.

        Its observation belongs at the end of the interval before the first one.
        """
        observation = self._storages[self._interval[0] % 2].observation[-1, slot]
        self._reset(slot, observation)
        for action in self._ledger.current(slot)[1]:
            self._environments[slot].step(int(action), observation)


def main() -> None:
    """Runs the task that the trainer wrote, pickled, to standard input."""
    parent = int(sys.argv[1])
    # A trainer that is killed takes its executors along, even one stuck inside a step.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    # Who stops a job may signal all its processes, but it is the trainer who decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        task = pickle.load(sys.stdin.buffer)
        Executor(task).run()
    except Exception:
        # One write: executors share the terminal, and lines of several would mix.
        os.write(2, traceback.format_exc().encode())
        sys.exit(1)


if __name__ == "__main__":
    main()
