"""Command line: env steps per second of training beside those of stepping alone.

Ceiling and training alternate, so that a machine that is slower for a while is so for both. What
exactly is counted:
  ceiling SPS: see `ceiling`; wall time of stepping and resets, after the first reset.
  training SPS: see `training_run`; wall time from the first sync point (the end of the first
    interval, while nothing is learnt yet) to the first one at or after --env_steps. Start-up,
    which ends with the first sync point, is reported by itself; compiling the first update, which
    comes after it, is counted, and weighs the less the longer the training.
  ratio: of the training to the ceiling right before it.
  processor time per env step: user and system time of the trainer and of all executors, between
    the same two sync points (measured in the run); its parts are measured alone, by
    `environment_alone` and `trainer_alone`, and what they leave of the run's is the difference.
    Alone, caches and cores are not shared with the other roles, so the parts may come out too
    small, and on a machine with other work they may even exceed the total.
  memory: proportional set size, sampled once a second from launch on.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from absl import app, flags

from hts_tf import errors
from hts_tf.benchmarks import ceiling, command, environment_alone, trainer_alone, training_run
from hts_tf.environments import football

_SCENARIOS = flags.DEFINE_list(
    "scenarios", ["academy_3_vs_1_with_keeper"], "of gfootball, separated by commas"
)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 50_000, "of each training", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "of ceiling and training", lower_bound=1)
_CEILING_SECONDS = flags.DEFINE_float(
    "ceiling_seconds", 30.0, "of stepping, each time", lower_bound=0.1
)
_OUTPUT = flags.DEFINE_string("output", None, "a CSV file of the same figures")
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "of the trainings")

_ALONE_STEPS = 5000  # the most env steps for a look into the environment

IN_RUN, ALONE, DIFFERENCE = "in the run", "alone", "difference"


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
      group: what it belongs to.
      name: of the quantity.
      measured: `IN_RUN`, `ALONE` or `DIFFERENCE`.
      values: one for each repeat, or one for all.
      digits: after the decimal point, in the table.
    """

    group: str
    name: str
    measured: str
    values: Sequence[float]
    digits: int


def figures(
    ceilings: Sequence[ceiling.Ceiling],
    runs: Sequence[training_run.TrainingRun],
    environment: dict[str, float],
    trainer: dict[str, float],
) -> list[Figure]:
    """Puts together what was measured on one scenario.

    Args:
      ceilings: one for each repeat.
      runs: one for each repeat.
      environment: see `environment_alone.measure`.
      trainer: see `trainer_alone.measure`.
    """
    sps = [run.sps for run in runs]
    pairs = zip(runs, ceilings, strict=True)
    executors = [1e3 * run.executors_sec for run in runs]
    trainers = [1e3 * run.trainer_sec for run in runs]
    stepping = 1e3 * sum(environment.values())
    learning, inference = 1e3 * trainer["learning"], 1e3 * trainer["inference"]
    compiling = [1e3 * trainer["compiling"] / run.env_steps for run in runs]
    rest = [x - learning - inference - c for x, c in zip(trainers, compiling, strict=True)]
    speed = "env steps per second"
    time = "processor time [ms per env step]"
    memory = "peak memory [MB of PSS]"
    return [
        Figure(speed, "ceiling: stock gfootball", ALONE, [c.sps for c in ceilings], 1),
        Figure(speed, "training", IN_RUN, sps, 1),
        Figure(speed, "training / ceiling", IN_RUN, [r.sps / c.sps for r, c in pairs], 3),
        Figure("start-up [s]", "to first sync point", IN_RUN, [r.start_up_sec for r in runs], 1),
        Figure(time, "executors", IN_RUN, executors, 3),
        Figure(time, "- engine", ALONE, [1e3 * environment["engine"]], 3),
        Figure(time, "- reset", ALONE, [1e3 * environment["reset"]], 3),
        Figure(time, "- Python around the engine", ALONE, [1e3 * environment["around"]], 3),
        Figure(time, "- observation encoding", ALONE, [1e3 * environment["encoding"]], 3),
        Figure(time, "- waiting and hand-over", DIFFERENCE, [x - stepping for x in executors], 3),
        Figure(time, "trainer", IN_RUN, trainers, 3),
        Figure(time, "- learning", ALONE, [learning], 3),
        Figure(time, "- inference", ALONE, [inference], 3),
        Figure(time, "- compiling the first update", ALONE, compiling, 3),
        Figure(time, "- the rest", DIFFERENCE, rest, 3),
        Figure(time, "ceiling", ALONE, [1e3 * c.processor_sec for c in ceilings], 3),
        Figure("actors", "observations in a batch", IN_RUN, [r.batch_size for r in runs], 2),
        Figure(memory, "trainer", IN_RUN, [r.trainer_bytes / 1e6 for r in runs], 0),
        Figure(memory, "executors", IN_RUN, [r.executors_bytes / 1e6 for r in runs], 0),
        Figure(memory, "all at once", IN_RUN, [r.total_bytes / 1e6 for r in runs], 0),
    ]


def table(rows: Sequence[Figure]) -> str:
    """Writes figures below each other, for a screen."""
    lines = []
    group = None
    for figure in rows:
        if figure.group != group:
            group = figure.group
            lines.append(f"{group:38}{'median':>10}{'min':>10}{'max':>10}  measured")
        numbers = (median(figure.values), min(figure.values), max(figure.values))
        columns = "".join(f"{number:10,.{figure.digits}f}" for number in numbers)
        lines.append(f"  {figure.name:36}{columns}  {figure.measured}")
    return "\n".join(lines)


def tidy(scenario: str, rows: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Returns figures as rows of a CSV file, one number each; see `COLUMNS`."""
    return [
        (scenario, figure.group, figure.name, figure.measured, statistic, f"{value:.6g}")
        for figure in rows
        for statistic, value in [
            ("median", median(figure.values)),
            ("min", min(figure.values)),
            ("max", max(figure.values)),
            *((f"repeat {i}", value) for i, value in enumerate(figure.values)),
        ]
    ]


COLUMNS = ("scenario", "group", "figure", "measured", "statistic", "value")


def measure(scenario: str) -> list[Figure]:
    """Measures one scenario as the flags say."""
    bindings = _GIN_BINDINGS.value
    # First, as it is quick to refuse a configuration that cannot be used.
    environment = environment_alone.measure(scenario, bindings, min(_ALONE_STEPS, _ENV_STEPS.value))
    ceilings, runs = [], []
    for repeat in range(_REPEATS.value):
        ceilings.append(ceiling.measure(scenario, _CEILING_SECONDS.value, repeat))
        runs.append(training_run.measure(scenario, repeat, _ENV_STEPS.value, bindings))
        print(
            f"{scenario} {repeat + 1} of {_REPEATS.value}: ceiling {ceilings[-1].sps:,.1f} SPS, "
            f"training {runs[-1].sps:,.1f} SPS over {runs[-1].env_steps:,} env steps",
            flush=True,
        )
    batch_size = max(1, round(median(run.batch_size for run in runs)))
    return figures(
        ceilings, runs, environment, trainer_alone.measure(scenario, bindings, batch_size)
    )


def benchmark() -> None:
    """Measures all scenarios; the CSV file grows with each.

    Raises:
      ConfigError: a scenario is not of gfootball, or the output cannot be written.
      ChildError: a training refused its configuration, or something failed.
    """
    for scenario in _SCENARIOS.value:
        football.Football(scenario)  # refuses what it does not know
    output = Path(_OUTPUT.value or os.devnull)
    try:
        file = output.open("w", newline="")
    except OSError as error:
        raise errors.ConfigError(f"--output: {error}") from None
    with file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for scenario in _SCENARIOS.value:
            rows = measure(scenario)
            print(f"\n{scenario} on {os.cpu_count()} cores\n{table(rows)}\n", flush=True)
            writer.writerows(tidy(scenario, rows))
            file.flush()


def main() -> None:
    """Entry point."""
    app.run(lambda argv: command.call(benchmark, argv))


if __name__ == "__main__":
    main()
