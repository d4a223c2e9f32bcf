"""Command line: speed and memory of training against its numbers of environments and workers.

Three sweeps, each with the other two numbers at their defaults:
  num_envs: environments.
  num_executors: processes that step them.
  num_actors: threads that run the policy.
Every figure is of a real training with `hts_ppo`, see `training_run`: env steps per second from the
first sync point (the first update's compilation is counted, too) to the first one at or after
--env_steps, and no sooner than three intervals; memory is the peak of the proportional set size.
"""

from collections.abc import Iterator
from typing import NamedTuple

from absl import flags

from hts_tf import presets
from hts_tf.benchmarks import options, training_run
from hts_tf.system import command, terminal

_SCENARIOS = flags.DEFINE_list(
    "scenarios",
    ["academy_3_vs_1_with_keeper", "synthetic"],
    "scenarios of gfootball, or 'synthetic', separated by commas",
)
_SWEEPS = {
    "num_envs": flags.DEFINE_list(
        "num_envs", ["4", "8", "16", "32", "64", "128"], "numbers of environments"
    ),
    "num_executors": flags.DEFINE_list(
        "num_executors", ["1", "2", "4", "8"], "numbers of executors"
    ),
    "num_actors": flags.DEFINE_list("num_actors", ["1", "2", "4", "8"], "numbers of actors"),
}
_ENV_STEPS = flags.DEFINE_integer("env_steps", 20_000, "env steps of each training", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", None, "CSV file of the figures")
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further settings of the trainings")

_INTERVALS = 4  # the first is not counted


class Row(NamedTuple):
    """A line of the CSV file.

    Attributes:
      scenario: that was trained on.
      sweep: which number was varied.
      value: of that number.
      sps: env steps per second.
      batch_size: observations that an actor answered at once.
      trainer_mb: peak memory of the trainer.
      executors_mb: of all executors together.
      total_mb: of all processes together.
    """

    scenario: str
    sweep: str
    value: int
    sps: float
    batch_size: float
    trainer_mb: float
    executors_mb: float
    total_mb: float


def cases() -> Iterator[tuple[str, str, int]]:
    """Yields (scenario, sweep, value) as the flags say.

    Raises:
      ConfigError: a scenario is unknown, or a value is not a number of at least 1.
    """
    for scenario in _SCENARIOS.value or [""]:
        presets.check(scenario, "hts_ppo")
    for sweep, flag in _SWEEPS.items():
        options.check_counts(sweep, flag.value)
    for scenario in _SCENARIOS.value:
        for sweep, flag in _SWEEPS.items():
            for text in flag.value:
                yield scenario, sweep, int(text)


def measure(scenario: str, sweep: str, value: int) -> Row:
    """Trains once.

    Raises:
      ChildError: the training refused its configuration, or failed.
    """
    bindings = [*_GIN_BINDINGS.value, f"Trainer.{sweep} = {value}"]
    run = training_run.measure(scenario, 0, _ENV_STEPS.value, bindings, intervals=_INTERVALS)
    megabytes = (run.trainer_bytes / 1e6, run.executors_bytes / 1e6, run.total_bytes / 1e6)
    return Row(scenario, sweep, value, run.sps, run.batch_size, *megabytes)


def benchmark() -> None:
    """Measures all cases; the CSV file grows with each.

    Raises:
      ConfigError: a flag cannot be used.
      ChildError: a training refused its configuration, or failed.
    """
    todo = list(cases())
    table = options.Table(_OUTPUT.value, Row._fields)
    terminal.say(
        f"{'scenario':28}{'':22}{'SPS':>8}{'batch':>8}{'trainer':>10}{'executors':>11}"
        f"{'all [MB]':>10}"
    )
    for case in todo:
        row = measure(*case)
        table.add(f"{x:.6g}" if isinstance(x, float) else x for x in row)
        terminal.say(
            f"{row.scenario:28}{row.sweep:14}{row.value:8d}{row.sps:8,.0f}"
            f"{row.batch_size:8.1f}{row.trainer_mb:10,.0f}{row.executors_mb:11,.0f}"
            f"{row.total_mb:10,.0f}"
        )


if __name__ == "__main__":
    command.run(benchmark)
