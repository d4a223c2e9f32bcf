"""The workers: executors and actors, and the memory and buffers between them."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from hts_tf import bindings, rollouts, seeding, specs
from hts_tf.collecting import (
    actor,
    board,
    buffers,
    executor,
    executor_process,
    shared_memory,
    timesheet,
)
from hts_tf.collecting.executor_pool import ExecutorPool, WorkerError
from hts_tf.collecting.executor_process import ExecutorTask
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.system import processes

_OPEN_FILES = 256  # of all but executors
_FILES_OF_EXECUTOR = 4  # its buffer's two ends, its pidfd, and what it is told by


@dataclasses.dataclass(frozen=True)
class Crew:
    """Numbers of environments and workers, and the faults that are put up with.

    Attributes:
      num_envs: environments stepped at once.
      sync_interval: T, env steps of an interval.
      num_executors: processes that step environments.
      num_actors: threads that answer.
      actor_batch_size: the most environments whose observations an actor answers at once.
      num_storages: filled in turn.
      shards: into which the environments are divided, for the learner.
      first_env: number of the first environment, where others are on other machines.
      lockstep: one actor answers all environments at once, when all are ready, whatever the number
        of actors and their batch size.
      crash_limit: an executor that dies so often in the same place is a failure.
      step_timeout_sec: see `ExecutorPool`.
      traced: whether time sheets keep single stretches.
    """

    num_envs: int
    sync_interval: int
    num_executors: int
    num_actors: int
    actor_batch_size: int
    num_storages: int = 2
    shards: range = range(1)
    first_env: int = 0
    lockstep: bool = False
    crash_limit: int = 5
    step_timeout_sec: float | None = None
    traced: bool = False


def memory_fields(
    step: rollouts.StepSpec, environment: specs.EnvironmentSpec, crew: Crew
) -> shared_memory.Fields:
    """Returns everything that trainer and executors share; see `SharedArrays`."""
    return {
        **board.fields(step, environment, crew.sync_interval, crew.num_envs, crew.num_storages),
        **shared_memory.grouped(
            control=executor_process.control_fields(crew.num_executors, crew.traced)
        ),
    }


class Workers:
    """Lets executors and actors take turns in every slot, until its interval ends.

    What comes then is up to the collector that they work for.

    Attributes:
      crew: their number.
      step: what a step consists of.
      board: of all slots.
      policy: the behaviour policy.
    """

    def __init__(
        self,
        environment: base.EnvironmentConfig,
        step: rollouts.StepSpec,
        policy: Policy,
        seed: int,
        crew: Crew,
        rivals: actor.Rivals | None = None,
    ) -> None:
        """Allocates memory and buffers, for environments of that recipe; starts nothing.

        Raises:
          ConfigError: so many executors need more open files than the system permits.
        """
        processes.allow_open_files(
            _OPEN_FILES + _FILES_OF_EXECUTOR * crew.num_executors, "lower Trainer.num_executors"
        )
        self._rivals = rivals
        self.crew = crew
        self.step = step
        self._seed = seed
        self.policy = policy
        self._memory = shared_memory.SharedArrays(memory_fields(step, environment.spec, crew))
        self.board = board.Board(self._memory, step, environment.spec)
        self.board.clear()
        self.board.first_env[0] = crew.first_env
        self.board.has_history[0] = not environment.spec.history_free
        self._control = self._memory.group("control")
        self._control["executor_time"].fill(0.0)
        shape = (crew.sync_interval, crew.num_envs, environment.spec.num_players)
        self._noise = np.empty_like(self._draw_noise(shape, 0))
        self._owner = np.arange(crew.num_envs) * crew.num_executors // crew.num_envs
        self._buffers: list[buffers.TicketBuffer] = []
        self._state_buffer = self.new_buffer(crew.num_envs)
        self._action_buffers = [self.new_buffer(crew.num_envs) for _ in range(crew.num_executors)]
        self._pool = ExecutorPool(
            self._tasks(environment),
            self.board,
            self._control["executor_doing"],
            self._control["executor_fault"],
            crew.crash_limit,
            crew.step_timeout_sec,
            self._fail,
        )
        self._actors: list[actor.Actor] = []
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._last_activity = self._activity_totals()

    def new_buffer(self, capacity: int) -> buffers.TicketBuffer:
        """Returns a buffer that is closed with all others when a worker fails."""
        self._buffers.append(buffers.TicketBuffer(capacity))
        return self._buffers[-1]

    def start(self, finish: Callable[[np.ndarray], None]) -> None:
        """Starts executors and actors, and returns at once.

        Args:
          finish: called by actors with slots that have ended an interval.
        """
        crew = self.crew
        if crew.lockstep:
            claims, num_actors, batch_size = actor.Lockstep(self.board), 1, crew.num_envs
        else:
            claims = actor.Gathering(self.board, self._owner)
            num_actors, batch_size = crew.num_actors, crew.actor_batch_size

        def hand_over(answered: np.ndarray, finished: np.ndarray) -> None:
            self._send_to_executors(answered)
            if len(finished):
                finish(finished)

        self._actors = [
            actor.Actor(
                self.board,
                self.policy,
                self._noise,
                claims,
                batch_size,
                self._state_buffer,
                hand_over,
                crew.traced,
                self._rivals,
            )
            for _ in range(num_actors)
        ]
        self._pool.start()
        for index, worker in enumerate(self._actors):
            self._start_thread(f"actor {index}", worker.run)

    def set_noise(self, counter: int, slots: slice = slice(None)) -> None:
        """Draws the noise of the next interval, of some slots or of all.

        Args:
          counter: a number that no other call has.
          slots: which.
        """
        shards = self.crew.shards
        parts = np.split(self._noise[:, slots], len(shards), axis=1)
        for shard, noise in zip(shards, parts, strict=True):
            noise[...] = self._draw_noise(noise.shape[:3], counter, *seeding.of_shard(shard))

    def give_to_executors(self) -> None:
        """Says that it is the executors' turn in every slot."""
        self.board.give_to_executors()
        self._send_to_executors(np.arange(self.crew.num_envs))

    def ask_actors(self, slots: Iterable[int]) -> None:
        """Lets actors know of slots that are on their turn."""
        self._state_buffer.enqueue(slots)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Within its block, a closed buffer is the failure of the worker that it was closed for."""
        try:
            yield
        except buffers.BufferClosedError:
            raise self._failure or WorkerError("the collector was closed") from None

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
        """Returns what each worker has done since then; only if they are `traced`.

        Args:
          begin: seconds, of `time.perf_counter`.

        Returns:
          'executor' and 'actor' -> a list for each of these, of what `TimeSheet.since` says.
        """
        executors = (
            executor_process.time_sheet(self._control, i) for i in range(self.crew.num_executors)
        )
        return {
            "executor": [times.since(begin) for times in executors],
            "actor": [worker.times.since(begin) for worker in self._actors],
        }

    def close(self) -> None:
        """Stops all workers and gives everything back; may be called twice."""
        self._close_buffers()
        for thread in self._threads:  # they may yet say that they have failed
            thread.join()
        self._pool.close()
        for buffer in self._buffers:
            buffer.release()
        self._memory.close()

    def _tasks(self, environment: base.EnvironmentConfig) -> list[ExecutorTask]:
        bound = bindings.dump()
        return [
            ExecutorTask(
                index=index,
                slots=np.flatnonzero(self._owner == index).tolist(),
                environment=environment,
                bindings=bound,
                seed=self._seed,
                step=self.step,
                memory_fd=self._memory.fd,
                memory_fields=self._memory.fields,
                action_fds=action_buffer.fds,
                state_fds=self._state_buffer.fds,
                capacity=self.crew.num_envs,
            )
            for index, action_buffer in enumerate(self._action_buffers)
        ]

    def _draw_noise(self, shape: tuple[int, ...], *counters: int) -> np.ndarray:
        return self.policy.draw_noise(seeding.generator(self._seed, "noise", *counters), shape)

    def _send_to_executors(self, slots: np.ndarray) -> None:
        by_owner: dict[int, list[int]] = {}
        for slot, owner in zip(slots.tolist(), self._owner[slots].tolist(), strict=True):
            by_owner.setdefault(owner, []).append(slot)
        # In a fixed order: where one is always served first, they do not get in each other's way.
        for owner, tickets in sorted(by_owner.items()):
            self._action_buffers[owner].enqueue(tickets)

    def _activity_totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (
            np.sum(self._control["executor_time"], axis=0),
            sum((worker.times.seconds for worker in self._actors), np.zeros(len(actor.TIMES))),
            sum(
                (np.array([worker.batches, worker.observations]) for worker in self._actors),
                np.zeros(2),
            ),
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

    def _close_buffers(self) -> None:
        self._pool.stop()  # from now on an executor that ends is not missed
        for buffer in self._buffers:
            buffer.close()
