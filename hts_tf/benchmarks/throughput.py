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
from pathlib import Path
from statistics import median

from absl import app, flags

from hts_tf import command, errors
from hts_tf.benchmarks import (
    ceiling,
    environment_alone,
    figures,
    trainer_alone,
    training_run,
)
from hts_tf.environments import football

_SCENARIOS = flags.DEFINE_list(
    "scenarios", ["academy_3_vs_1_with_keeper"], "of gfootball, separated by commas"
)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 50_000, "of each training", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "of ceiling and training", lower_bound=1)
_CEILING_SECONDS = flags.DEFINE_float(
    "ceiling_seconds", 30.0, "of stepping, each time", lower_bound=0.1
)
_CEILING_PYTHON = flags.DEFINE_string(
    "ceiling_python", None, "interpreter with a stock build of gfootball; default: the installed"
)
_OUTPUT = flags.DEFINE_string("output", None, "a CSV file of the same figures")
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "of the trainings")

_ALONE_STEPS = 5000  # the most env steps for a look into the environment


def measure(scenario: str) -> list[figures.Figure]:
    """Measures one scenario as the flags say."""
    bindings = _GIN_BINDINGS.value
    # First, as it is quick to refuse a configuration that cannot be used.
    environment = environment_alone.measure(scenario, bindings, min(_ALONE_STEPS, _ENV_STEPS.value))
    ceilings, runs = [], []
    for repeat in range(_REPEATS.value):
        ceilings.append(
            ceiling.measure(scenario, _CEILING_SECONDS.value, repeat, _CEILING_PYTHON.value)
        )
        runs.append(training_run.measure(scenario, repeat, _ENV_STEPS.value, bindings))
        print(
            f"{scenario} {repeat + 1} of {_REPEATS.value}: ceiling {ceilings[-1].sps:,.1f} SPS, "
            f"training {runs[-1].sps:,.1f} SPS over {runs[-1].env_steps:,} env steps",
            flush=True,
        )
    batch_size = max(1, round(median(run.batch_size for run in runs)))
    return figures.collect(
        ceilings, runs, environment, trainer_alone.measure(scenario, bindings, batch_size)
    )


def benchmark() -> None:
    """Measures all scenarios; the CSV file grows with each.

    Raises:
      ConfigError: a scenario is not of gfootball, or the output cannot be written.
      ChildError: a training refused its configuration, or something failed.
    """
    for scenario in _SCENARIOS.value or [""]:
        football.Football(scenario)  # refuses what it does not know
    output = Path(_OUTPUT.value or os.devnull)
    try:
        file = output.open("w", newline="")
    except OSError as error:
        raise errors.ConfigError(f"--output: {error}") from None
    with file:
        writer = csv.writer(file)
        writer.writerow(figures.COLUMNS)
        for scenario in _SCENARIOS.value:
            rows = measure(scenario)
            print(f"\n{scenario} on {os.cpu_count()} cores\n{figures.table(rows)}\n", flush=True)
            writer.writerows(figures.tidy(scenario, rows))
            file.flush()


def main() -> None:
    """Entry point."""
    app.run(lambda argv: command.call(benchmark, argv))


if __name__ == "__main__":
    main()
