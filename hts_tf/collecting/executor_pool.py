"""The executor pool: starts the executors, replaces those that die, and ends them all."""

import contextlib
import errno
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from hts_tf import errors
from hts_tf.collecting import deaths, executor
from hts_tf.collecting.board import Board
from hts_tf.collecting.deaths import Attempt
from hts_tf.collecting.executor_process import ExecutorTask
from hts_tf.system import processes, source, start, terminal

# Not `-m`: it would begin as commands do, and take signals before `main` says what they mean.
EXECUTOR = "from hts_tf.collecting import executor_process; executor_process.main()"
_GRACE_SEC = 5.0  # for executors to end by themselves, or when they are killed
# What a machine may be short of for a while, and for how long that is waited for.
_SHORT_OF = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_PAUSES_SEC = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class WorkerError(errors.RunError):
    """An executor or actor failed; the message says which and how.

    Attributes:
      attempt: what it failed in, if it was one environment's episode.
    """

    def __init__(
        self, message: str, attempt: Attempt | None = None, page: str | None = None
    ) -> None:
        super().__init__(message, page)
        self.attempt = attempt


class ExecutorPool:
    """Keeps one process alive for each task.

    A dead executor is noticed at once, by its pidfd. Its successor builds its environments from
    the ledger, so nothing is lost but time. Only one that dies again and again in the same env
    step (or before its first) is given up.
    """

    def __init__(
        self,
        tasks: Sequence[ExecutorTask],
        board: Board,
        doing: np.ndarray,
        faults: np.ndarray,
        crash_limit: int,
        step_timeout_sec: float | None,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Starts nothing.

        Args:
          tasks: one for each executor.
          board: of the environments.
          doing: [num_executors, 6], see `executor_process.control_fields`.
          faults: [num_executors, ...], see there.
          crash_limit: an executor that dies so often in the same place is a failure.
          step_timeout_sec: an executor that takes longer for an env step or a reset, to start, to
            build an environment, or to see that it has its turn, is killed, soon after; None waits
            for ever.
          on_failure: called, from another thread, with the error that ends the run.
        """
        self._tasks = tasks
        self._board = board
        self._ledger = board.ledger
        self._doing = doing
        self._faults = faults
        self._crash_limit = crash_limit
        self._step_timeout_sec = step_timeout_sec
        self._on_failure = on_failure
        self._processes: dict[int, subprocess.Popen] = {}
        self._sentinels: dict[int, int] = {}  # pidfd -> index
        self._hanging: set[int] = set()
        self._unseen: dict[int, tuple[int, float]] = {}  # index -> see _seconds_unseen
        self._deaths = deaths.Deaths(len(tasks))
        self._source = source.Source()
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        # One thread starts all executors and outlives them: the kernel kills a process whose
        # parent *thread* has ended (see `executor_process.main`).
        self._thread = threading.Thread(target=self._run, name="executor pool", daemon=True)

    @property
    def crashes(self) -> int:
        """How many executors have died."""
        return self._deaths.total

    @property
    def pids(self) -> list[int]:
        """Process ids of the executors, in the order of their tasks, as they are now."""
        return [process.pid for _, process in sorted(self._processes.items())]

    def start(self) -> None:
        """Starts the executors, and returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Lets executors die from now on; may be called twice, from any thread."""
        self._stopping = True
        if self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Waits for the executors to end, and kills those that do not; may be called twice.

        Their buffers must have been closed.
        """
        if self._wake < 0:
            return
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()
        wake, self._wake = self._wake, -1
        os.close(wake)

    def _run(self) -> None:
        # Executors inherit this: no signal must end one before it has handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, start.stopping())
        try:
            for index in range(len(self._tasks)):
                self._spawn(index)
            self._watch()
        except BaseException as error:
            if not self._stopping:  # once it stops, executors may fail
                self._on_failure(error)
        finally:
            self._end_all()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for sentinel in self._sentinels:
            poll.register(sentinel, select.POLLIN)
        timeout = self._step_timeout_sec
        timeout_ms = None if timeout is None else max(1, round(250 * timeout))
        while True:
            ready = [fd for fd, _ in poll.poll(timeout_ms)]
            if self._stopping:
                return
            for sentinel in ready:
                index = self._sentinels.pop(sentinel)
                poll.unregister(sentinel)
                os.close(sentinel)
                self._bury(index)
                poll.register(self._spawn(index), select.POLLIN)
            self._kill_hanging()

    def _spawn(self, index: int) -> int:
        """Starts an executor, later if the machine is short of something, and returns its pidfd.

        Raises:
          WorkerError: it cannot be started.
        """
        pauses = iter(_PAUSES_SEC)
        while True:
            try:
                return self._spawn_at_once(index)
            except OSError as error:
                why = f"executor {index} cannot be started: {error}"
                pause = next(pauses, None) if error.errno in _SHORT_OF else None
                if pause is None or self._stopping:
                    raise WorkerError(why) from error
                terminal.warn(f"{why}; trying again in {pause:g} s")
                _wait_for(self._wake, pause)

    def _spawn_at_once(self, index: int) -> int:
        task = self._tasks[index]
        self._doing[index] = executor.Doing(
            executor.STARTING, slot=-1, episode=-1, task=0, step=0, since=time.monotonic_ns()
        )
        self._hanging.discard(index)
        self._unseen.pop(index, None)
        # Not a pipe, which holds only so much: this thread has others to look after.
        with os.fdopen(os.memfd_create("executor task"), "w+b") as told:
            pickle.dump(task, told)
            told.seek(0)
            process = subprocess.Popen(
                [sys.executable, "-c", EXECUTOR, str(os.getpid())],
                stdin=told,
                pass_fds=[task.memory_fd, *task.action_fds, *task.state_fds],
                env={**os.environ, **processes.ALONE},
                start_new_session=True,  # Ctrl-C is for the trainer alone
            )
        try:
            sentinel = os.pidfd_open(process.pid)
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                _end_session(process)
            raise
        self._processes[index] = process
        self._sentinels[sentinel] = index
        return sentinel

    def _bury(self, index: int) -> None:
        """Counts and reports a death.

        Raises:
          WorkerError: the executor has died in the same place too often, or an environment of it
            has broken a rule.
        """
        code = _end_session(self._processes[index])
        fault = self._faults[index].tobytes().rstrip(b"\0").decode(errors="ignore")
        self._faults[index] = 0
        how = self._how(index, code, fault or "its own message is above")
        doing = self._is_doing(index)
        death = deaths.of(doing, self._board)
        # Not one that was killed by others, such as the kernel for want of memory.
        failed = code != -signal.SIGKILL or index in self._hanging
        fails_anew = failed and death.once_went_well
        if fault and not fails_anew:  # trying again would not mend it
            raise WorkerError(f"{fault} ({death.where})", death.attempt)
        deaths_there = self._deaths.count(index, death.spot, bool(self._board.has_history[0]))
        envs = ", ".join(str(self._board.env(slot)) for slot in self._tasks[index].slots)
        report = f"executor {index} (environments {envs}) {how} while {death.where}"
        if deaths_there >= self._crash_limit:
            raise WorkerError(
                f"{report}; it died there {self._crash_limit} times",
                death.attempt,
                page="faq.md#an-executor-dies-again-and-again-and-the-run-ends",
            )
        terminal.warn(
            f"{report}; another takes its place (crash {self.crashes} since the launch)",
            page="faq.md#it-says-that-an-executor-was-killed-and-goes-on",
        )
        if fails_anew and deaths_there == self._crash_limit - 1:
            # Here the episode once went on; so the last to try need not bring it back.
            self._board.take_note_of_history([doing.slot], "a failure")
        if changed := self._source.changed():
            terminal.warn(
                f"{changed[0]} has changed since the launch; executors that take the place of "
                "others import it as it is now, and results may differ",
                page="reproducibility.md#what-a-result-depends-on",
            )

    def _how(self, index: int, code: int, said: str) -> str:
        """Returns what ended an executor, of which these are the exit code and the last words."""
        if index in self._hanging:
            return f"hung for more than {self._step_timeout_sec:g} s and was killed"
        ended = processes.how_it_ended(code)
        return ended if code < 0 else f"{ended} ({said})"

    def _is_doing(self, index: int) -> executor.Doing:
        return executor.Doing(*self._doing[index].tolist())

    def _kill_hanging(self) -> None:
        if self._step_timeout_sec is None:
            return
        for index, process in self._processes.items():
            doing = self._is_doing(index)
            if doing.what == executor.WAITING:
                seconds = self._seconds_unseen(index)
            else:
                seconds = (time.monotonic_ns() - doing.since) / 1e9
            if seconds > self._step_timeout_sec:
                self._hanging.add(index)
                # Not `process.kill`, which may wait for one that has died: see `_end_session`.
                os.kill(process.pid, signal.SIGKILL)

    def _seconds_unseen(self, index: int) -> float:
        """Returns for how long an executor that waits has had its turn somewhere, as far as seen.

        Only one that is stopped, or very ill, does not see it at once.
        """
        slots = self._tasks[index].slots
        moves = sum(self._ledger.moves[slot] for slot in slots)
        before, since = self._unseen.get(index, (None, 0.0))
        if moves != before or not self._board.on_executors_turn(slots):
            since = time.monotonic()
        self._unseen[index] = moves, since
        return time.monotonic() - since

    def _end_all(self) -> None:
        deadline = time.monotonic() + _GRACE_SEC
        for sentinel, index in self._sentinels.items():
            _wait_for(sentinel, deadline - time.monotonic())
            try:
                _end_session(self._processes[index])  # also one that is in a long env step
            except subprocess.TimeoutExpired:
                terminal.warn(f"executor {index} was killed, but hangs in a call of the system's")
            os.close(sentinel)


def _wait_for(fd: int, seconds: float) -> None:
    """Returns when there is something to read, or after so long; at once if that is below 0."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll(1000 * max(0.0, seconds))


def _end_session(leader: subprocess.Popen) -> int:
    """Kills an executor, if it lives, and all that its environments started; returns its exit code.

    As long as nobody has waited for the leader, its session's number is no other's.

    Raises:
      TimeoutExpired: the kernel cannot end it yet.
    """
    os.kill(leader.pid, signal.SIGKILL)  # first, so that no more are started
    for pid, (_, _, _, session, *_) in processes.all_fields():
        if int(session) == leader.pid and not processes.cleans_up(pid):
            with contextlib.suppress(OSError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
    return leader.wait(_GRACE_SEC)
