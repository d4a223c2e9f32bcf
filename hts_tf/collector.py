"""The collector: executors and actors at work together, filling one storage per interval."""

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from hts_tf import actor, buffers, data_storage, executor, ledger, seeding, shared_memory, specs
from hts_tf.environments import base
from hts_tf.policy import Policy


class WorkerError(Exception):
    """An executor or actor failed; the message says which and how."""


def memory_fields(
    spec: specs.EnvironmentSpec, sync_interval: int, num_envs: int, num_executors: int
) -> shared_memory.Fields:
    """Returns everything that trainer and executors share; see `SharedArrays`."""
    groups = {
        **{name: data_storage.fields(spec, sync_interval, num_envs) for name in executor.STORAGES},
        "ledger": ledger.fields(num_envs, spec.max_episode_steps),
        "control": executor.control_fields(num_envs, num_executors),
    }
    return {
        f"{group}/{name}": field
        for group, fields in groups.items()
        for name, field in fields.items()
    }


class Collector:
    """Owns the executors, the actors, and the memory and buffers between them.

    Use: fill `ledger` and, when resuming, the storage before; `start`; then for each interval
    `begin` and `wait`; finally `close`. All from one thread.

    Attributes:
      storages: the two data storages; interval i fills storages[i % 2].
      ledger: of the episodes being played.
    """

    def __init__(
        self,
        environment: base.EnvironmentConfig,
        policy: Policy,
        seed: int,
        sync_interval: int,
        num_envs: int,
        num_executors: int,
        num_actors: int,
        actor_batch_size: int,
    ) -> None:
        """Allocates memory and buffers; starts nothing."""
        spec = environment.spec
        self._environment = environment
        self._seed = seed
        self._num_envs = num_envs
        self._memory = shared_memory.SharedArrays(
            memory_fields(spec, sync_interval, num_envs, num_executors)
        )
        self.storages = [data_storage.read(self._memory, name) for name in executor.STORAGES]
        self.ledger = ledger.Ledger(self._memory.group("ledger"))
        self._control = self._memory.group("control")
        self._noise = np.zeros((sync_interval, num_envs, spec.num_actions), np.float32)
        self._owner = np.arange(num_envs) * num_executors // num_envs
        self._state_buffer = buffers.TicketBuffer(num_envs)
        self._finished_buffer = buffers.TicketBuffer(num_envs)
        self._action_buffers = [buffers.TicketBuffer(num_envs) for _ in range(num_executors)]
        self._actors = [
            actor.Actor(
                policy,
                actor_batch_size,
                self.storages,
                self._noise,
                self._control,
                self._state_buffer,
                self._action_buffers,
                self._finished_buffer,
                self._owner,
            )
            for _ in range(num_actors)
        ]
        self._processes: list[subprocess.Popen] = []
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._closing = False
        self._last_activity = self._activity_totals()

    def start(self, interval: int) -> None:
        """Starts everything, and returns when every environment stands ready for an interval.

        Args:
          interval: the first to be collected. Each environment's observation is written to the
            last row of the storage of the interval before.

        Raises:
          WorkerError: an executor failed.
        """
        self._control["interval"][0] = interval - 1
        for index in range(len(self._action_buffers)):
            self._processes.append(self._start_executor(index))
        for index, worker in enumerate(self._actors):
            self._start_thread(f"actor {index}", worker.run)
        self._start_thread("watch", self._watch_executors)
        self.wait()

    def begin(self, interval: int) -> None:
        """Lets executors and actors loose on an interval, and returns at once.

        Raises:
          WorkerError: an executor or actor has failed since the last interval.
        """
        before, storage = self.storages[(interval - 1) % 2], self.storages[interval % 2]
        storage.observation[0] = before.observation[-1]
        self._control["interval"][0] = interval
        self._control["step"].fill(0)
        self._control["awaits_truncation_value"].fill(False)
        self._noise[...] = seeding.gumbel_noise(self._seed, interval, self._noise.shape)
        try:
            self._state_buffer.enqueue(range(self._num_envs))
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def wait(self) -> None:
        """Waits until every environment has finished its part of the interval: the sync point.

        Raises:
          WorkerError: an executor or actor failed meanwhile.
        """
        try:
            self._finished_buffer.dequeue_many(self._num_envs)
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def activity(self) -> dict[str, float]:
        """Returns how executors and actors spent their time since the last call, for the log.

        The `time/...` values are shares of each role's total time, 0 to 1, averaged over its
        workers; what they leave is hand-over and everything else.
        """
        totals = self._activity_totals()
        last, self._last_activity = self._last_activity, totals
        executors, actors, batches = (a - b for a, b in zip(totals, last, strict=True))
        shares = {}
        for role, names, seconds in [
            ("executor", executor.TIMES, executors),
            ("actor", actor.TIMES, actors),
        ]:
            for name, value in zip(names[:-1], seconds, strict=False):
                shares[f"time/{role}_{name}"] = value / max(seconds[-1], 1e-9)
        return {**shares, "actor/batch_size": batches[1] / max(batches[0], 1)}

    def _activity_totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            np.nansum(self._control["executor_time"], axis=0),
            np.sum([worker.time for worker in self._actors], axis=0),
            np.sum([[worker.batches, worker.observations] for worker in self._actors], axis=0),
        )

    def close(self) -> None:
        """Stops all workers and gives everything back; may be called twice."""
        self._closing = True
        self._close_buffers()
        deadline = time.monotonic() + 5.0
        for process in self._processes:
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:  # in a long env step
                process.kill()
                process.wait()
        for thread in self._threads:
            thread.join()
        for buffer in self._buffers():
            buffer.release()
        self._memory.close()

    def _start_executor(self, index: int) -> subprocess.Popen:
        action_buffer = self._action_buffers[index]
        task = executor.ExecutorTask(
            index=index,
            slots=np.flatnonzero(self._owner == index).tolist(),
            environment=self._environment,
            seed=self._seed,
            memory_fd=self._memory.fd,
            memory_fields=self._memory.fields,
            action_fds=action_buffer.fds,
            state_fds=self._state_buffer.fds,
            finished_fds=self._finished_buffer.fds,
            capacity=self._num_envs,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "hts_tf.executor", str(os.getpid())],
            stdin=subprocess.PIPE,
            pass_fds=[
                self._memory.fd,
                *action_buffer.fds,
                *self._state_buffer.fds,
                *self._finished_buffer.fds,
            ],
            # A pool of BLAS threads in every executor would only take processor time.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the trainer alone
        )
        try:
            with process.stdin:
                pickle.dump(task, process.stdin)
        except BrokenPipeError:
            pass  # it has died already; the watch thread reports it
        return process

    def _start_thread(self, name: str, body: Callable[[], None]) -> None:
        def run() -> None:
            try:
                body()
            except BaseException as error:
                self._fail(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _watch_executors(self) -> None:
        """Waits on the executors' sentinels: a death is noticed at once, not by a time-out."""
        sentinels = {os.pidfd_open(process.pid): process for process in self._processes}
        poll = select.poll()
        for fd in sentinels:
            poll.register(fd, select.POLLIN)
        try:
            fd, _ = poll.poll()[0]
            if not self._closing:
                self._fail(WorkerError(self._obituary(sentinels[fd])))
        finally:
            for fd in sentinels:
                os.close(fd)

    def _obituary(self, process: subprocess.Popen) -> str:
        index = self._processes.index(process)
        code = process.wait()
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code < 0
            else f"ended with exit code {code} (its own message is above)"
        )
        slots = ", ".join(map(str, np.flatnonzero(self._owner == index)))
        return f"executor {index} (environments {slots}) {how}"

    def _fail(self, error: BaseException) -> None:
        """Keeps the first failure and wakes everyone who waits."""
        if self._failure is None:
            self._failure = error
        self._close_buffers()

    def _what_failed(self) -> BaseException:
        return self._failure or WorkerError("the collector was closed")

    def _buffers(self) -> list[buffers.TicketBuffer]:
        return [self._state_buffer, self._finished_buffer, *self._action_buffers]

    def _close_buffers(self) -> None:
        for buffer in self._buffers():
            buffer.close()
