"""The collector: executors and actors at work together, filling one storage per interval."""

import threading
from collections.abc import Callable

import numpy as np

from hts_tf import seeding, specs
from hts_tf.collecting import (
    actor,
    board,
    buffers,
    data_storage,
    executor,
    shared_memory,
    timesheet,
)
from hts_tf.collecting.executor_pool import ExecutorPool, WorkerError
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base


def memory_fields(
    spec: specs.EnvironmentSpec,
    sync_interval: int,
    num_envs: int,
    num_executors: int,
    num_storages: int,
    traced: bool = False,
) -> shared_memory.Fields:
    """Returns everything that trainer and executors share; see `SharedArrays`."""
    return {
        **board.fields(spec, sync_interval, num_envs, num_storages),
        **shared_memory.grouped(control=executor.control_fields(num_executors, traced)),
    }


class Collector:
    """Owns the executors, the actors, and the memory and buffers between them.

    Use: when resuming, `restore` before; `start`; then for each interval
    `begin` and `wait`; finally `close`. All from one thread.

    Attributes:
      storages: the data storages; interval i fills storages[i % len(storages)].
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
        crash_limit: int = 5,
        step_timeout_sec: float | None = None,
        num_storages: int = 2,
        lockstep: bool = False,
        traced: bool = False,
    ) -> None:
        """Allocates memory and buffers; starts nothing.

        With `lockstep`, one actor answers all environments at once, when all are ready, whatever
        the number of actors and their batch size. `traced` is for `stretches`.
        """
        spec = environment.spec
        self._environment = environment
        self._seed = seed
        self._num_envs = num_envs
        self._memory = shared_memory.SharedArrays(
            memory_fields(spec, sync_interval, num_envs, num_executors, num_storages, traced)
        )
        self._board = board.Board(self._memory)
        self._board.clear()
        self.storages = [data_storage.one(self._board.storages, k) for k in range(num_storages)]
        self.ledger = self._board.ledger
        self._control = self._memory.group("control")
        self._control["executor_time"].fill(0.0)
        self._noise = np.zeros((sync_interval, num_envs, spec.num_actions), np.float32)
        self._owner = np.arange(num_envs) * num_executors // num_envs
        self._policy = policy
        self._num_actors = 1 if lockstep else num_actors
        self._lockstep = lockstep
        self._traced = traced
        self._actor_batch_size = num_envs if lockstep else actor_batch_size
        self._state_buffer = buffers.TicketBuffer(num_envs)
        self._finished_buffer = buffers.TicketBuffer(num_envs)
        self._action_buffers = [buffers.TicketBuffer(num_envs) for _ in range(num_executors)]
        self._pool = ExecutorPool(
            [self._task(index) for index in range(num_executors)],
            self.ledger,
            self._control["executor_doing"],
            crash_limit,
            step_timeout_sec,
            self._fail,
        )
        self._actors: list[actor.Actor] = []
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._last_activity = self._activity_totals()

    def start(self) -> None:
        """Starts executors and actors, and returns at once."""
        claims = (
            actor.Lockstep(self._board)
            if self._lockstep
            else actor.Gathering(self._board, self._owner)
        )
        self._actors = [
            actor.Actor(
                self._board,
                self._policy,
                self._noise,
                claims,
                self._actor_batch_size,
                self._state_buffer,
                self._hand_over,
                self._traced,
            )
            for _ in range(self._num_actors)
        ]
        self._pool.start()
        for index, worker in enumerate(self._actors):
            self._start_thread(f"actor {index}", worker.run)

    def begin(self, interval: int) -> None:
        """Lets executors and actors loose on an interval, and returns at once.

        Raises:
          WorkerError: an executor or actor has failed since the last interval.
        """
        self._board.next_sync_point()
        self._noise[...] = seeding.gumbel_noise(self._seed, interval, self._noise.shape)
        try:
            if interval == 0:  # nothing to answer yet: it is the executors' turn
                self._give_to_executors()
            else:
                for slot in range(self._num_envs):
                    self._board.enter_interval(slot, interval)
                self._state_buffer.enqueue(range(self._num_envs))
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def storage(self, interval: int) -> specs.Rollout:
        """Returns the storage that an interval fills."""
        return self.storages[interval % len(self.storages)]

    def wait(self) -> None:
        """Waits until every environment has finished its part of the interval: the sync point.

        Raises:
          WorkerError: an executor or actor failed meanwhile.
        """
        try:
            self._finished_buffer.dequeue_many(self._num_envs)
        except buffers.BufferClosedError:
            raise self._what_failed() from None

    def state(self, next_interval: int) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint: all that further intervals depend on.

        The next one starts from the last observations in the storage that was filled last; under
        `hts` that storage is also what the learner reads next.

        Args:
          next_interval: the one that is to begin next.
        """
        storage = self.storage(next_interval - 1)._asdict()
        return {
            **{f"storage/{name}": array for name, array in storage.items()},
            **{f"ledger/{name}": array for name, array in self.ledger.arrays.items()},
        }

    def restore(
        self, state: dict[str, np.ndarray], next_interval: int
    ) -> list[tuple[int, np.ndarray]]:
        """Goes on from a saved state.

        Returns:
          For each slot, the number of its running episode, and the actions so far.
        """
        for name, array in self.state(next_interval).items():
            array[...] = state[name]
        return [self.ledger.current(slot) for slot in range(self._num_envs)]

    def _give_to_executors(self) -> None:
        """Says that it is the executors' turn in every slot."""
        self._board.give_to_executors()
        self._send_to_executors(np.arange(self._num_envs))

    def _hand_over(self, answered: np.ndarray, finished: np.ndarray) -> None:
        """Takes from an actor what it has answered; see `Board.answer`."""
        self._send_to_executors(answered)
        if len(finished):
            self._finish(finished)

    def _send_to_executors(self, slots: np.ndarray) -> None:
        owners = self._owner[slots]
        for index in np.unique(owners):
            self._action_buffers[index].enqueue(slots[owners == index])

    def _finish(self, slots: np.ndarray) -> None:
        """Takes slots from the actor that has valued the last observation of their interval."""
        self._finished_buffer.enqueue(slots)

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
        return {
            **shares,
            "actor/batch_size": batches[1] / max(batches[0], 1),
            "executor/crashes": self._pool.crashes,
        }

    def stretches(self, begin: float) -> dict[str, list[list[timesheet.Stretch]]]:
        """Returns what each worker has done since then; only if the collector is `traced`.

        Args:
          begin: seconds, of `time.perf_counter`.

        Returns:
          'executor' and 'actor' -> a list for each of these, of what `TimeSheet.since` says.
        """
        executors = (
            executor.time_sheet(self._control, i) for i in range(len(self._action_buffers))
        )
        return {
            "executor": [times.since(begin) for times in executors],
            "actor": [worker.times.since(begin) for worker in self._actors],
        }

    def _activity_totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            np.sum(self._control["executor_time"], axis=0),
            sum((worker.times.seconds for worker in self._actors), np.zeros(len(actor.TIMES))),
            sum(
                (np.array([worker.batches, worker.observations]) for worker in self._actors),
                np.zeros(2),
            ),
        )

    def close(self) -> None:
        """Stops all workers and gives everything back; may be called twice."""
        self._close_buffers()
        self._pool.close()
        for thread in self._threads:
            thread.join()
        for buffer in self._buffers():
            buffer.release()
        self._memory.close()

    def _task(self, index: int) -> executor.ExecutorTask:
        return executor.ExecutorTask(
            index=index,
            slots=np.flatnonzero(self._owner == index).tolist(),
            environment=self._environment,
            seed=self._seed,
            memory_fd=self._memory.fd,
            memory_fields=self._memory.fields,
            action_fds=self._action_buffers[index].fds,
            state_fds=self._state_buffer.fds,
            capacity=self._num_envs,
        )

    def _start_thread(self, name: str, body: Callable[[], None]) -> None:
        def run() -> None:
            try:
                body()
            except BaseException as error:
                self._fail(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

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
        self._pool.stop()  # from now on an executor that ends is not missed
        for buffer in self._buffers():
            buffer.close()
