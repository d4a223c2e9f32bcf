"""Where an env step's processor time goes inside the football environment, without a training.

As many processes as there are cores, each with as many environments as an executor has, step them
in turn with random actions, with clocks around the engine, the encoding and the whole.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gin
import numpy as np

from hts_tf.benchmarks import children

PARTS = ("engine", "reset", "around", "encoding")


def measure(scenario: str, bindings: Sequence[str], env_steps: int) -> dict[str, float]:
    """Measures so many env steps in each process.

    Returns:
      Seconds of processor time per env step, by part: `engine` is the engine's own `step`;
      `encoding` reads positions from it and turns them into pixels; `around` is the rest of the
      environment's `step`; `reset` is all of `reset`, with the engine's work in it.
    """
    task = {"scenario": scenario, "bindings": list(bindings), "env_steps": env_steps}
    tasks = [{**task, "seed": index} for index in range(os.cpu_count() or 1)]
    results = children.measure(__name__, tasks, {"OPENBLAS_NUM_THREADS": "1"})
    return {part: float(np.mean([result[part] for result in results])) for part in PARTS}


class _TimedEngine:
    """An engine whose `step` is timed."""

    def __init__(self, engine: Any, seconds: Counter) -> None:
        self._engine = engine
        self.step = _timed(engine.step, seconds, "engine")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def _timed(function: Callable, seconds: Counter, part: str) -> Callable:
    def call(*args: Any) -> Any:
        start = time.thread_time()
        result = function(*args)
        seconds[part] += time.thread_time() - start
        return result

    return call


def _prepare(
    scenario: str, bindings: list[str], env_steps: int, seed: int
) -> Callable[[], dict[str, float]]:
    import hts_tf.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
    from hts_tf import config, trainer  # noqa: F401  gin configurables
    from hts_tf.environments import football, football_match

    config.load(scenario, "hts_ppo", gin_bindings=bindings)
    seconds = Counter()
    start_engine = football_match.start_engine
    football_match.start_engine = lambda config: _TimedEngine(start_engine(config), seconds)
    football._pixels = _timed(football._pixels, seconds, "encoding")

    recipe = config.environment()
    random = np.random.default_rng(seed)
    observation = np.empty(recipe.spec.observation.shape, recipe.spec.observation.dtype)
    environments = [recipe.make() for _ in range(_environments_per_executor())]
    for environment in environments:
        environment.reset(int(random.integers(2**31)), observation)

    def body() -> dict[str, float]:
        seconds.clear()
        resetting = 0.0
        for count in range(env_steps):
            environment = environments[count % len(environments)]
            action = int(random.integers(recipe.spec.num_actions))
            start = time.thread_time()
            result = environment.step(action, observation)
            seconds["step"] += time.thread_time() - start
            if result.terminated or result.truncated:
                before = seconds.copy()
                start = time.thread_time()
                environment.reset(int(random.integers(2**31)), observation)
                resetting += time.thread_time() - start
                # What the engine and the encoding took of it is not counted twice.
                seconds.clear()
                seconds.update(before)
        engine, encoding = seconds["engine"], seconds["encoding"]
        parts = (engine, resetting, seconds["step"] - engine - encoding, encoding)
        return {part: value / env_steps for part, value in zip(PARTS, parts, strict=True)}

    return body


def _environments_per_executor() -> int:
    num_envs = _bound("Trainer.num_envs") or 16
    num_executors = _bound("Trainer.num_executors") or min(num_envs, os.cpu_count() or 1)
    return -(-num_envs // num_executors)


def _bound(name: str) -> int | None:
    try:
        return gin.query_parameter(name)
    except ValueError:  # not bound
        return None


if __name__ == "__main__":
    children.serve(_prepare)
