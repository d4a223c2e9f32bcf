"""Where executors' processor time goes in a training, by clocks inside the football environment.

The clocks are read six times in an env step, which takes a microsecond or two. So the training that
has them is not the one whose env steps per second are counted.
"""

import dataclasses
import functools
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hts_tf import specs
from hts_tf.benchmarks import kernel, training_run
from hts_tf.configurables import configurable
from hts_tf.environments import base
from hts_tf.environments.football import environment, football, match

PARTS = ("engine", "reset", "encoding", "around", "handover")

_ENGINE, _RESET, _ENCODING, _STEP, _COUNT = range(5)  # columns: seconds of four, and env steps


def measure(
    scenario: str, bindings: Sequence[str], env_steps: int, gin_files: Sequence[str] = ()
) -> dict[str, float]:
    """Measures a training, from its first sync point to the first one at or after `env_steps`.

    Returns:
      Seconds of processor time per env step, by part: `engine` is the engine's own `step`;
      `encoding` reads positions from it and turns them into pixels; `around` is the rest of the
      environment's `step`; `reset` is all of `reset`, with the engine's work in it; `handover` is
      all else that executors do.

    Raises:
      ChildError: the training refused its configuration, failed, or was over before.
    """
    with tempfile.TemporaryDirectory() as directory:
        timed = [
            f"import {TimedFootball.__module__}",
            "Trainer.environment = @TimedFootball()",
            "TimedFootball.football = @Football()",
            f"TimedFootball.directory = {directory!r}",
        ]
        bindings = [*bindings, *timed]
        with training_run.start(scenario, 0, bindings, gin_files=gin_files) as training:
            first, last = training.watch(lambda *_: _read(directory, training.pid), env_steps)
    clocks, all_sec = last[0] - first[0], last[1] - first[1]
    engine, reset, encoding, step, count = clocks
    parts = (engine, reset, encoding, step - engine - encoding, all_sec - reset - step)
    return {part: float(value / count) for part, value in zip(PARTS, parts, strict=True)}


def _read(directory: str, trainer: int) -> tuple[np.ndarray, float]:
    """Returns the executors' clocks, added up, and all their processor time."""
    clocks = sum(np.fromfile(path) for path in Path(directory).iterdir())
    return clocks, sum(map(kernel.processor_sec, kernel.executors_of(trainer)))


@configurable
@dataclasses.dataclass(frozen=True)
class TimedFootball:
    """Football with clocks.

    Attributes:
      football: the environment.
      directory: each process keeps its clocks in a file there.
    """

    football: football.Football
    directory: str

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Football's."""
        return self.football.spec

    def make(self) -> base.Environment:
        """Returns a new environment."""
        clocks = _clocks(self.directory)  # before an environment takes what is to be timed
        return _TimedEnvironment(self.football.make(), clocks)


class _TimedEnvironment:
    def __init__(self, environment: base.Environment, clocks: memoryview) -> None:
        self._reset = _timed(environment.reset, clocks, _RESET)
        self._clocks = clocks
        self.step = _timed(environment.step, clocks, _STEP, count=1)
        self.close = environment.close

    def reset(self, seed: int, observation: np.ndarray) -> None:
        engine, encoding = self._clocks[_ENGINE], self._clocks[_ENCODING]
        self._reset(seed, observation)
        self._clocks[_ENGINE], self._clocks[_ENCODING] = engine, encoding  # not counted twice


class _TimedEngine:
    def __init__(self, engine: Any, clocks: memoryview) -> None:
        self._engine = engine
        self.step = _timed(engine.step, clocks, _ENGINE)
        # In every env step, where `__getattr__` would cost more than what it finds.
        self.perform_action = engine.perform_action
        self.get_info = engine.get_info

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def _timed(function: Callable, clocks: memoryview, column: int, count: int = 0) -> Callable:
    def call(*args: Any) -> Any:
        start = time.thread_time()
        result = function(*args)
        clocks[column] += time.thread_time() - start
        clocks[_COUNT] += count
        return result

    return call


@functools.cache
def _clocks(directory: str) -> memoryview:
    """Returns this process's clocks, after installing those inside football."""
    path = f"{directory}/{os.getpid()}"
    # A memoryview, as arrays take longer to read and write a number.
    clocks = memoryview(np.memmap(path, np.float64, "w+", shape=_COUNT + 1))
    start_engine = match.start_engine
    match.start_engine = lambda config: _TimedEngine(start_engine(config), clocks)
    for representation in environment.REPRESENTATIONS.values():
        representation.encode = _timed(representation.encode, clocks, _ENCODING)
    return clocks
