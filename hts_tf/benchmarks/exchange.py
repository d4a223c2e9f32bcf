"""Command line: what a meeting of machines takes on Ray, where they are processes of this one.

Each process brings an array to so many meetings, as machines do for each minibatch. Counted are
  wall time of a meeting, of the slowest process;
  processor time of a process, of the one that used most;
  processor time of the exchange, at which they meet.
What a network adds is not in there: the arrays lie in one store.
"""

import os
import time
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from hts_tf.benchmarks import kernel, options
from hts_tf.machines import ray_cluster
from hts_tf.system import command

_MACHINES = flags.DEFINE_list(
    "machines", ["2", "4"], "numbers of machines, here processes, separated by commas"
)
_BYTES = flags.DEFINE_list(
    "bytes", ["4", "365136", "5696208"], "sizes in bytes of each one's array, separated by commas"
)
_MEETINGS = flags.DEFINE_integer("meetings", 50, "number of meetings in each case", lower_bound=1)

_WARM_UP = 5


class Result(NamedTuple):
    """What a meeting took, in seconds.

    Attributes:
      wall_sec: of the slowest process.
      machine_sec: processor time of a process.
      exchange_sec: processor time of the exchange.
    """

    wall_sec: float
    machine_sec: float
    exchange_sec: float


class Member:
    """A process that comes to meetings; an actor of Ray's."""

    def meet(
        self, exchange: Any, number: int, size: int, num_bytes: int, meetings: int
    ) -> tuple[float, float]:
        """Returns wall and processor seconds of a meeting."""
        from hts_tf.machines.exchange import RayTeam

        team = RayTeam(exchange, number, size)
        array = np.zeros((1, max(1, num_bytes // 4)), np.float32)
        for _ in range(_WARM_UP):
            team.all_gather_array(array, 0)
        clocks = time.perf_counter, time.process_time
        before = [clock() for clock in clocks]
        for _ in range(meetings):
            team.all_gather_array(array, 0)
        wall, processor = (clock() - b for clock, b in zip(clocks, before, strict=True))
        return wall / meetings, processor / meetings


def measure(ray: Any, size: int, num_bytes: int, meetings: int) -> Result:
    """Has so many processes meet."""
    from hts_tf.machines.exchange import Exchange

    exchange = ray.remote(Exchange).options(num_cpus=0, max_concurrency=1000).remote(size)
    members = [ray.remote(Member).options(num_cpus=0).remote() for _ in range(size)]
    pid = ray.get(exchange.__ray_call__.remote(lambda _: os.getpid()))
    before = kernel.processor_sec(pid)
    found = ray.get(
        [
            member.meet.remote(exchange, number, size, num_bytes, meetings)
            for number, member in enumerate(members)
        ]
    )
    used = kernel.processor_sec(pid) - before
    for actor in (*members, exchange):
        ray.kill(actor)
    wall, processor = map(max, zip(*found, strict=True))
    return Result(wall, processor, used / (meetings + _WARM_UP))


def benchmark() -> None:
    """Measures and prints.

    Raises:
      ConfigError: a flag cannot be used, or Ray is not installed.
    """
    for flag in (_MACHINES, _BYTES):
        options.check_counts(flag.name, flag.value or [""])
    sizes = list(map(int, _MACHINES.value))
    with ray_cluster.connected(None, max(sizes)) as ray:
        print(f"{'machines':>8}{'bytes':>12}{'wall':>10}{'machine':>10}{'exchange':>10}  [ms]")
        for size in sizes:
            for num_bytes in map(int, _BYTES.value):
                found = measure(ray, size, num_bytes, _MEETINGS.value)
                numbers = "".join(f"{1e3 * seconds:10.2f}" for seconds in found)
                print(f"{size:8d}{num_bytes:12,d}{numbers}", flush=True)


if __name__ == "__main__":
    command.run(benchmark)
