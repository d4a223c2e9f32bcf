"""The ceiling: stock gfootball stepped with random actions, in one process per core.

`gfootball.env.create_environment` with all its wrappers, resets included, and nothing else: no
policy, no learner, no hand-over. launch/setup.sh builds the installed engine for this processor;
for the ceiling of a stock build, name an interpreter in which `pip install gfootball` has built
it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import hts_tf
from hts_tf.benchmarks import children
from hts_tf.system import processors

if TYPE_CHECKING:  # stock gfootball may be in an interpreter without our other packages
    from hts_tf.environments.football.football import Football


class Ceiling(NamedTuple):
    """What stepping alone reaches.

    Attributes:
      sps: env steps per second, of all processes together.
      processor_sec: per env step.
    """

    sps: float
    processor_sec: float


def measure(football: "Football", seconds: float, seed: int, python: str | None = None) -> Ceiling:
    """Steps for so many seconds in as many processes as there are cores, all at the same time.

    Building the environments and their first resets come before, and are not counted.

    Args:
      football: what is played; instead of our own floats gfootball shows `simple115v2`.
      seconds: how long.
      seed: of the actions.
      python: the interpreter that has gfootball; None takes this one.
    """
    left, right = football.players
    arguments = {
        "env_name": football.scenario,
        "representation": "extracted" if football.representation == "extracted" else "simple115v2",
        "stacked": football.frames > 1,
        "rewards": football.rewards,
        "number_of_left_players_agent_controls": left,
        "number_of_right_players_agent_controls": right,
    }
    tasks = [
        {"arguments": arguments, "seconds": seconds, "seed": seed + index}
        for index in range(processors.usable_cores())
    ]
    environment = {
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(hts_tf.__file__).parents[1]),  # where `python` may not have it
    }
    results = children.measure(__name__, tasks, environment, python or sys.executable)
    return Ceiling(
        sum(result["env_steps"] / result["seconds"] for result in results),
        sum(result["processor_sec"] for result in results)
        / sum(result["env_steps"] for result in results),
    )


def _prepare(
    arguments: dict[str, Any], seconds: float, seed: int
) -> Callable[[], dict[str, float]]:
    import gfootball.env

    environment = gfootball.env.create_environment(**arguments)
    environment.reset()
    space, draw = environment.action_space, np.random.default_rng(seed).integers
    shape = (10_000, *space.shape)
    actions = draw(space.nvec if space.shape else space.n, size=shape).tolist()

    def body() -> dict[str, float]:
        env_steps = 0
        processor = time.process_time()
        start = now = time.monotonic()
        while now - start < seconds:
            _, _, done, _ = environment.step(actions[env_steps % len(actions)])
            if done:
                environment.reset()
            env_steps += 1
            now = time.monotonic()
        return {
            "env_steps": env_steps,
            "seconds": now - start,
            "processor_sec": time.process_time() - processor,
        }

    return body


if __name__ == "__main__":
    children.serve(_prepare)
