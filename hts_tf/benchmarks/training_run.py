"""A real training, watched from outside: speed, processor time and memory of its processes."""

import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from hts_tf import errors
from hts_tf.benchmarks import kernel
from hts_tf.files.event_tail import EventTail
from hts_tf.system.child import Child, ChildError

_Reading = TypeVar("_Reading")
_POLL_SEC = 0.1
_MEMORY_EVERY_SEC = 1.0


class TrainingRun(NamedTuple):
    """What was seen of a training.

    The first sync point ends the first interval, in which nothing is learnt yet; the last one is
    the first at or after the env steps asked for.

    Attributes:
      start_up_sec: from launch to the first sync point.
      env_steps: between the first and the last sync point.
      sps: these, divided by the seconds between.
      trainer_sec: processor time of the trainer (actors, learner, all else) per such env step.
      executors_sec: the same of all executors together.
      batch_size: observations that an actor answered at once, mean of all intervals' means.
      trainer_bytes: peak of its proportional set size, from launch to the last sync point.
      executors_bytes: peak of the sum of theirs.
      total_bytes: peak of the sum of all.
    """

    start_up_sec: float
    env_steps: int
    sps: float
    trainer_sec: float
    executors_sec: float
    batch_size: float
    trainer_bytes: int
    executors_bytes: int
    total_bytes: int


class Training:
    """A training at work.

    Attributes:
      pid: of the trainer.
      workdir: of the run, while it lasts.
      batch_sizes: of the actors, in each interval so far.
    """

    def __init__(self, child: Child, workdir: Path) -> None:
        """Use `start`."""
        self.pid = child.pid
        self.workdir = workdir
        self.batch_sizes: list[float] = []
        self._child = child
        self._events = EventTail(workdir)

    def sync_points(self) -> list[tuple[int, float]]:
        """Returns (env steps, seconds since launch) of each sync point not returned before.

        Raises:
          ChildError: the training has failed.
          RunError: it has ended.
        """
        has_ended = self._child.has_ended()  # before the last are read
        points = []
        for scalar in self._events.scalars():
            if scalar.tag == "run/minutes":
                points.append((scalar.env_steps, scalar.value * 60))
            elif scalar.tag == "actor/batch_size":
                self.batch_sizes.append(scalar.value)
        if has_ended and not points:
            raise errors.RunError(
                "the training was over before it was measured: lower --env_steps, or bind a larger "
                "Trainer.total_env_steps and no Trainer.stop_at_score"
            )
        return points

    def has_ended(self) -> bool:
        """Returns whether the training has, well. Raises: ChildError: it failed."""
        return self._child.has_ended()

    def wait_for_sync_point(
        self, env_steps: int = 0, meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[int, float]:
        """Waits for the first sync point at or after so many env steps.

        It is returned within a moment of happening, as (env steps, seconds since launch).

        Args:
          env_steps: 0 for any that was not returned before.
          meanwhile: called again and again.

        Raises:
          ChildError: the training has failed before.
          RunError: it has ended before.
        """
        while True:
            meanwhile()
            points = self.sync_points()
            if points and points[-1][0] >= env_steps:
                return points[-1]
            time.sleep(_POLL_SEC)

    def watch(
        self,
        read: Callable[[int, float], _Reading],
        env_steps: int,
        intervals: int = 1,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> tuple[_Reading, _Reading]:
        """Returns what is read at the first sync point, and at the last one that is waited for.

        Args:
          read: called with (env steps, seconds since launch) of each.
          env_steps: the last one is the first at or after so many.
          intervals: and at or after so many of these.
          meanwhile: called again and again.

        Raises:
          ChildError: the training has ended before, or an executor was replaced.
        """
        point = self.wait_for_sync_point(meanwhile=meanwhile)
        first, executors = read(*point), kernel.executors_of(self.pid)
        env_steps = max(env_steps, intervals * point[0])
        last = read(*self.wait_for_sync_point(env_steps, meanwhile))
        if kernel.executors_of(self.pid) != executors:
            raise ChildError("an executor was replaced while it was measured", 1)
        return first, last


@contextlib.contextmanager
def start(
    scenario: str,
    seed: int,
    bindings: Sequence[str],
    method: str = "hts_ppo",
    gin_files: Sequence[str] = (),
) -> Iterator[Training]:
    """Trains in a temporary workdir, until the block is left.

    Args:
      scenario: to train on.
      seed: of the run.
      bindings: of gin.
      method: a file of `gin_configs/methods`.
      gin_files: further ones.
    """
    with tempfile.TemporaryDirectory() as workdir:
        arguments = [f"--scenario={scenario}", f"--method={method}", f"--seed={seed}"]
        arguments += [f"--workdir={workdir}", "--quiet"]  # nobody reads what it says
        arguments += [f"--gin_files={path}" for path in gin_files]
        arguments += [f"--gin_bindings={binding}" for binding in bindings]
        with Child("hts_tf.train", arguments) as child:
            yield Training(child, Path(workdir))
            child.kill()  # there is nothing to keep, and its next sync point may be far


def measure(
    scenario: str,
    seed: int,
    env_steps: int,
    bindings: Sequence[str],
    gin_files: Sequence[str] = (),
    intervals: int = 1,
) -> TrainingRun:
    """Trains until the first sync point at or after so many env steps, and so many intervals.

    Raises:
      ChildError: the training refused its configuration, failed, or was over before.
    """
    with start(scenario, seed, bindings, gin_files=gin_files) as training:
        memory = _Memory(training.pid)
        first, last = training.watch(
            lambda *point: (*point, *_processor_sec(training.pid)),  # env steps, seconds, these two
            env_steps,
            intervals,
            memory.sample,
        )
    steps, seconds, trainer_sec, executors_sec = (b - a for a, b in zip(first, last, strict=True))
    return TrainingRun(
        start_up_sec=first[1],
        env_steps=steps,
        sps=steps / seconds,
        trainer_sec=trainer_sec / steps,
        executors_sec=executors_sec / steps,
        batch_size=sum(training.batch_sizes) / len(training.batch_sizes),
        trainer_bytes=memory.peaks["trainer"],
        executors_bytes=memory.peaks["executors"],
        total_bytes=memory.peaks["total"],
    )


def _processor_sec(trainer: int) -> tuple[float, float]:
    """Returns what the trainer, and what its executors have used so far."""
    executors = sum(map(kernel.processor_sec, kernel.executors_of(trainer)))
    return kernel.processor_sec(trainer), executors


class _Memory:
    """Keeps the peaks of a training's memory, looking once a second.

    Attributes:
      peaks: bytes, by role.
    """

    def __init__(self, trainer: int) -> None:
        self.peaks: dict[str, int] = defaultdict(int)
        self._trainer = trainer
        self._next = 0.0

    def sample(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _MEMORY_EVERY_SEC
        with contextlib.suppress(OSError):  # a process that is just starting or ending
            trainer = kernel.pss_bytes(self._trainer)
            executors = sum(map(kernel.pss_bytes, kernel.executors_of(self._trainer)))
            for role, now in [
                ("trainer", trainer),
                ("executors", executors),
                ("total", trainer + executors),
            ]:
                self.peaks[role] = max(self.peaks[role], now)
