"""The process of an executor: what it is told, what it tells, and how it ends.

Imported by the trainer as well, which does not run it.
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
from collections.abc import Mapping, Sequence

import numpy as np

from hts_tf import bindings, rollouts
from hts_tf.collecting import buffers, executor, shared_memory, timesheet
from hts_tf.collecting.board import Board
from hts_tf.environments import base, checked
from hts_tf.system import child, start, terminal

_FAULT_BYTES = 512
_CLOSING_SEC = 5.0  # that environments may take to close, after a failure


@dataclasses.dataclass(frozen=True)
class ExecutorTask:
    """All that an executor process is told.

    Attributes:
      index: number of the executor.
      slots: the environments it owns.
      environment: recipe of each of them.
      bindings: of gin, for what the recipe makes, see `bindings.dump`.
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
    bindings: str
    seed: int
    step: rollouts.StepSpec
    memory_fd: int
    memory_fields: shared_memory.Fields
    action_fds: tuple[int, int]
    state_fds: tuple[int, int]
    capacity: int


def control_fields(num_executors: int, traced: bool = False) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the arrays by which the trainer knows what executors do.

    executor_doing: [num_executors, 6], an `executor.Doing` of each.
    executor_fault: [num_executors, ...], in UTF-8, which rule an environment broke.
    executor_time: [num_executors, len(executor.TIMES)] seconds since the start of the run.
    executor_stretch, executor_stretches: see `timesheet.ring_fields`.
    """
    return {
        "executor_doing": ((num_executors, len(executor.Doing._fields)), "int64"),
        "executor_fault": ((num_executors, _FAULT_BYTES), "uint8"),
        "executor_time": ((num_executors, len(executor.TIMES)), "float64"),
        **{f"executor_{k}": v for k, v in timesheet.ring_fields(num_executors, traced).items()},
    }


def time_sheet(control: Mapping[str, np.ndarray], index: int) -> timesheet.TimeSheet:
    """Returns the time sheet of an executor; see `control_fields`."""
    return timesheet.TimeSheet(
        control["executor_time"][index],
        control["executor_stretch"][index],
        control["executor_stretches"][index : index + 1],
    )


def main() -> None:
    """Runs the task that the trainer wrote, pickled, to standard input."""
    # A trainer that is killed takes its executors along, even one stuck inside a step.
    start.end_with_parent(parent=int(sys.argv[1]))
    child.end_session_with_this_process()  # the pool does that, too, but may be gone itself
    faulthandler.enable()  # says where, in Python, an engine has crashed
    terminal.be_heedless()  # what environments print is not to end them
    # Who stops a job may signal all its processes, but it is the trainer who decides when to stop.
    # Not SIG_IGN, which processes that an environment starts would inherit.
    for number in start.stopping():
        signal.signal(number, lambda *_: None)
        os.register_at_fork(after_in_child=functools.partial(signal.signal, number, signal.SIG_DFL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, start.stopping())  # blocked by the pool until here
    stepping = None
    try:
        task = pickle.load(sys.stdin.buffer)
        stepping = _executor_of(task)
        stepping.run()
        stepping.close()
    except checked.ProtocolError as error:
        _tell_fault(task, error)
    except Exception:
        # One write: executors share the terminal, and lines of several would mix.
        terminal.tell(traceback.format_exc().rstrip())
    else:
        return
    # What has failed may do so again, or hang; the trainer is not to wait for that.
    threading.Timer(_CLOSING_SEC, os._exit, [1]).start()
    with contextlib.suppress(Exception):
        if stepping:
            stepping.close()
    sys.stdout.flush()
    os._exit(1)  # without waiting for threads that an environment may have


def _executor_of(task: ExecutorTask) -> executor.Executor:
    """Returns the executor of a task, with its environments."""
    bindings.restore(task.bindings)
    arrays = shared_memory.SharedArrays(task.memory_fields, task.memory_fd)
    control = arrays.group("control")
    doing = control["executor_doing"][task.index].data
    return executor.Executor(
        Board(arrays, task.step, task.environment.spec),
        {slot: _make(task.environment, doing) for slot in task.slots},
        task.seed,
        buffers.TicketBuffer(task.capacity, task.action_fds),
        buffers.TicketBuffer(task.capacity, task.state_fds),
        doing,
        time_sheet(control, task.index),
    )


def _make(environment: base.EnvironmentConfig, doing: memoryview) -> checked.Checked:
    """Builds one, and tells the trainer: each may take as long as an env step."""
    made = checked.make(environment)
    doing[5] = time.monotonic_ns()
    return made


def _tell_fault(task: ExecutorTask, error: checked.ProtocolError) -> None:
    """Lets the trainer know which rule was broken."""
    arrays = shared_memory.SharedArrays(task.memory_fields, task.memory_fd)
    fault = arrays.group("control")["executor_fault"][task.index]
    text = str(error).encode()[: len(fault)]
    fault[: len(text)] = np.frombuffer(text, np.uint8)
