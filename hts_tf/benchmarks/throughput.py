"""Command line: env steps per second of training beside those of stepping alone.

Stock gfootball steps what the trainings play, with as many players, all with random actions.
Ceiling and training alternate, so that a machine that is slower for a while is so for both. What
exactly is counted:
  ceiling SPS: see `ceiling`; wall time of stepping and resets, after the first reset.
  training SPS: see `training_run`; wall time from the first sync point (the end of the first
    interval, while nothing is learnt yet) to the first one at or after --env_steps. Start-up,
    which ends with the first sync point, is reported by itself; compiling the first update, which
    comes after it, is counted, and weighs the less the longer the training.
  ratio: of the training to the ceiling right before it.
  processor time per env step: user and system time of the trainer and of all executors, between
    the same two sync points (measured in the run). The executors' parts come from one more
    training, with clocks inside: see `environment_in_training`. The trainer's parts are measured
    alone, by `trainer_alone`, and what they leave of the run's is the difference. Alone, caches
    and cores are not shared with the executors, so they may come out too small, and on a
    machine with other work they may even exceed the total.
  memory: proportional set size, sampled once a second from launch on.
"""

import shutil
from statistics import median

from absl import flags

from hts_tf import config, errors
from hts_tf.benchmarks import (
    ceiling,
    environment_in_training,
    figures,
    options,
    trainer_alone,
    training_run,
)
from hts_tf.environments.football import football
from hts_tf.system import command, processors, terminal

_SCENARIOS = flags.DEFINE_list(
    "scenarios", ["academy_3_vs_1_with_keeper"], "scenarios of gfootball, separated by commas"
)
_ENV_STEPS = flags.DEFINE_integer("env_steps", 50_000, "env steps of each training", lower_bound=1)
_REPEATS = flags.DEFINE_integer(
    "repeats", 5, "how often stepping and training are measured, in turns", lower_bound=1
)
_CEILING_SECONDS = flags.DEFINE_float(
    "ceiling_seconds", 30.0, "seconds of stepping alone, each time", lower_bound=0.1
)
_CEILING_PYTHON = flags.DEFINE_string(
    "ceiling_python", None, "interpreter with a stock build of gfootball; default: the installed"
)
_OUTPUT = flags.DEFINE_string("output", None, "CSV file of the figures")
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "gin files with further settings of the trainings"
)
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further settings of the trainings")

_TIMED_STEPS = 20_000  # the most env steps of the training with clocks inside


def measure(scenario: str) -> list[figures.Figure]:
    """Measures one scenario as the flags say."""
    bindings = _GIN_BINDINGS.value
    # First, as it is quick to refuse a configuration that cannot be used.
    timed_steps = min(_TIMED_STEPS, _ENV_STEPS.value)
    files = _GIN_FILES.value
    played = config.environment_for(scenario, files, bindings)
    if not isinstance(played, football.Football):
        raise errors.ConfigError(
            f"Trainer.environment = @{type(played).__name__}() is nothing that stock gfootball "
            "steps: leave it unbound"
        )
    environment = environment_in_training.measure(scenario, bindings, timed_steps, files)
    ceilings, runs = [], []
    for repeat in range(_REPEATS.value):
        ceilings.append(
            ceiling.measure(played, _CEILING_SECONDS.value, repeat, _CEILING_PYTHON.value)
        )
        runs.append(training_run.measure(scenario, repeat, _ENV_STEPS.value, bindings, files))
        terminal.say(
            f"{scenario} {repeat + 1} of {_REPEATS.value}: ceiling {ceilings[-1].sps:,.1f} SPS, "
            f"training {runs[-1].sps:,.1f} SPS over {runs[-1].env_steps:,} env steps"
        )
    batch_size = max(1, round(median(run.batch_size for run in runs)))
    return figures.collect(
        ceilings,
        runs,
        environment,
        trainer_alone.measure(scenario, bindings, batch_size, files),
        played.spec.num_players,
    )


def benchmark() -> None:
    """Measures all scenarios; the CSV file grows with each.

    Raises:
      ConfigError: a scenario is not of gfootball, or the output cannot be written.
      ChildError: a training refused its configuration, or something failed.
    """
    for scenario in _SCENARIOS.value or [""]:
        football.Football(scenario)  # refuses what it does not know
    if _CEILING_PYTHON.value and not shutil.which(_CEILING_PYTHON.value):
        raise errors.ConfigError(f"--ceiling_python={_CEILING_PYTHON.value}: no such interpreter")
    table = options.Table(_OUTPUT.value, figures.COLUMNS)
    for scenario in _SCENARIOS.value:
        rows = measure(scenario)
        table.add(*figures.tidy(scenario, rows))
        cores = processors.usable_cores()
        terminal.say(f"\n{scenario} on {cores} cores\n{figures.table(rows)}\n")


if __name__ == "__main__":
    command.run(benchmark)
