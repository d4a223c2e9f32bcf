"""Command line: what the pipeline moves by itself, when environment and network cost nothing.

A collector with the synthetic environment and a policy that answers with constants: what is left
are executors, actors, buffers, ledger and storage. Counted are whole intervals after the first.
"""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import errors, rollouts, specs, trees
from hts_tf.benchmarks import kernel
from hts_tf.collecting import buffers
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.environments import synthetic
from hts_tf.system import command, processors

_NUM_ENVS = flags.DEFINE_list(
    "num_envs", ["16", "64"], "numbers of environments, separated by commas"
)
_SECONDS = flags.DEFINE_float(
    "seconds", 10.0, "seconds for each number of environments", lower_bound=0.1
)
_NUM_EXECUTORS = flags.DEFINE_integer(
    "num_executors", None, "number of executors; default: one for each core", lower_bound=1
)
_NUM_ACTORS = flags.DEFINE_integer("num_actors", 1, "number of threads that answer", lower_bound=1)
_SYNC_INTERVAL = flags.DEFINE_integer(
    "sync_interval", 128, "env steps between sync points (alpha)", lower_bound=1
)

_EPISODE_STEPS = 400  # as in football: resets are rare


class FreePolicy:
    """Answers with constants, in the place of `policy.Policy`."""

    def __init__(self, step: rollouts.StepSpec, max_batch: int) -> None:
        asked_for = rollouts.Answer(step.action, step.policy, step.value)
        self._answer = trees.map(lambda s: np.zeros((max_batch, *s.shape), s.dtype), asked_for)
        self._num_logits = step.policy["logits"].shape

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See `policy.Policy.draw_noise`: as much as for a real one."""
        return random.gumbel(size=shape + self._num_logits).astype(np.float32)

    def act(
        self, observation: trees.Tree, noise: np.ndarray, state: trees.Tree = ()
    ) -> rollouts.Answer:
        """See `policy.Policy.act`."""
        return trees.map(lambda array: array[: len(noise)], self._answer)


class Result(NamedTuple):
    """What was measured.

    Attributes:
      env_steps: counted.
      seconds: that they took.
      executors_sec: processor time of all executors.
      actors_sec: processor time of all actors.
      main_sec: processor time of the main thread, which draws the noise and swaps the storages.
      activity: see `Workers.activity`.
    """

    env_steps: int
    seconds: float
    executors_sec: float
    actors_sec: float
    main_sec: float
    activity: dict[str, float]


def measure(
    num_envs: int, num_executors: int, num_actors: int, sync_interval: int, seconds: float
) -> Result:
    """Collects whole intervals for about so many seconds."""
    recipe = synthetic.Synthetic(episode_steps=_EPISODE_STEPS)
    logits = specs.ArraySpec((recipe.num_actions,), "float32")
    step = rollouts.step_spec(recipe.spec, {"logits": logits})
    policy = FreePolicy(step, num_envs)
    crew = Crew(num_envs, sync_interval, num_executors, num_actors, actor_batch_size=num_envs)
    collector = Collector(Workers(recipe, step, policy, 0, crew))
    clocks: tuple[Callable[[], float], ...] = (
        time.perf_counter,
        lambda: sum(map(kernel.processor_sec, kernel.executors_of(os.getpid()))),
        time.process_time,
        time.thread_time,
    )
    try:
        collector.start()
        collector.begin(0)
        collector.wait()
        collector.workers.activity()
        before = [clock() for clock in clocks]
        interval = 0
        while not interval or time.perf_counter() - before[0] < seconds:
            interval += 1
            collector.begin(interval)
            collector.wait()
        elapsed, executors, process, main = (
            clock() - earlier for clock, earlier in zip(clocks, before, strict=True)
        )
        activity = collector.workers.activity()
    finally:
        collector.close()
    env_steps = interval * sync_interval * num_envs
    return Result(env_steps, elapsed, executors, process - main, main, activity)


def table(result: Result) -> str:
    """Writes a result as lines for a screen."""
    activity = result.activity
    micro = 1e6 / result.env_steps

    def shares(role: str) -> str:
        prefix = f"time/{role}_"
        named = [(k.removeprefix(prefix), v) for k, v in activity.items() if k.startswith(prefix)]
        rest = 1 - sum(value for _, value in named)
        return ", ".join(f"{name} {value:.0%}" for name, value in [*named, ("the rest", rest)])

    return "\n".join(
        [
            f"  env steps per second            {result.env_steps / result.seconds:12,.0f}",
            f"  environments that an actor answers at once {activity['actor/batch_size']:11.2f}",
            "  processor time [us per env step]",
            f"    executors                     {result.executors_sec * micro:12.2f}"
            f"  time: {shares('executor')}",
            f"    actors                        {result.actors_sec * micro:12.2f}"
            f"  time: {shares('actor')}",
            f"    main thread (noise, swap)     {result.main_sec * micro:12.2f}",
        ]
    )


def benchmark() -> None:
    """Measures and prints.

    Raises:
      ConfigError: a number of environments cannot be used.
    """
    num_executors = _NUM_EXECUTORS.value or processors.usable_cores()
    for text in _NUM_ENVS.value or [""]:
        if not text.isdecimal() or int(text) < num_executors:
            raise errors.ConfigError(
                f"--num_envs takes whole numbers of at least the {num_executors} executors, "
                f"not {text!r}"
            )
        # Refuses too many before memory is taken for them.
        buffers.TicketBuffer(int(text)).release()
    for num_envs in map(int, _NUM_ENVS.value):
        result = measure(
            num_envs, num_executors, _NUM_ACTORS.value, _SYNC_INTERVAL.value, _SECONDS.value
        )
        print(
            f"{num_envs} environments, {num_executors} executors, {_NUM_ACTORS.value} actors\n"
            f"{table(result)}",
            flush=True,
        )


if __name__ == "__main__":
    command.run(benchmark)
