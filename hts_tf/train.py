"""Command line: trains an agent.

  .venv/bin/python -m hts_tf.train --scenario=academy_corner --workdir=runs/corner
  .venv/bin/python -m hts_tf.train --scenario=CartPole-v1 --seed=1 --workdir=runs/pole

The same command goes on with a run that was interrupted.
"""

import contextlib
import gc

from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import config, errors, operative
from hts_tf.build import build
from hts_tf.machines import head, ray_cluster
from hts_tf.settings import Settings
from hts_tf.system import command, compute, terminal, whole
from hts_tf.team import MachineLostError, Team

_SCENARIO = flags.DEFINE_string(
    "scenario",
    "academy_empty_goal_close",
    "environment: a file of gin_configs/scenarios, a scenario of gfootball, an id of Gymnasium "
    "(MODULE:ID for one of yours), or pettingzoo:MODULE",
)
_METHOD = flags.DEFINE_string(
    "method", "hts_ppo", "algorithm and schedule: a file of gin_configs/methods"
)
_WORKDIR = flags.DEFINE_string("workdir", None, "directory in which the run is kept", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "random seed of the run", lower_bound=0)
_GIN_FILES = flags.DEFINE_multi_string("gin_files", [], "gin files with further settings")
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "further settings, for example 'Trainer.num_envs = 16'"
)
_QUIET = flags.DEFINE_bool("quiet", False, "print nothing but warnings and errors")
_TRACE = flags.DEFINE_bool(
    "trace", False, "record who works and who waits, as trace.json and trace.png in the workdir"
)
_TRACE_INTERVALS = flags.DEFINE_integer(
    "trace_intervals", 2, "intervals that --trace records; of impala: updates", lower_bound=1
)
_NUM_MACHINES = flags.DEFINE_integer(
    "num_machines",
    1,
    "number of machines that train together (needs Ray); no influence on results",
    lower_bound=1,
)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    None,
    "address of a Ray cluster; default: RAY_ADDRESS, or a Ray of its own on this machine",
)
_MACHINE_TIMEOUT_SEC = flags.DEFINE_float(
    "machine_timeout_sec",
    None,
    "seconds after which a machine that does not answer is lost; default: twice "
    "Trainer.step_timeout_sec, "
    "so that it can replace an executor before, but 300 or more",
    lower_bound=1,
    upper_bound=1_000_000,
)
_MACHINE_REPLACEMENT_SEC = flags.DEFINE_float(
    "machine_replacement_sec",
    60.0,
    "seconds to wait for another machine in place of one that is lost, before going on with fewer",
    lower_bound=0,
    upper_bound=1_000_000,
)


def train() -> int:
    """Trains, and returns the exit code.

    Raises:
      ConfigError: a flag or a binding cannot be used.
      RunError: the run cannot go on.
    """
    terminal.be_heedless()  # what users' modules print is not to end a run
    if _QUIET.value:
        terminal.be_quiet()
    if _TRACE_INTERVALS.present and not _TRACE.value:
        raise errors.ConfigError("--trace_intervals is of --trace: add it")
    of_several = (_MACHINE_TIMEOUT_SEC, _MACHINE_REPLACEMENT_SEC)
    for flag in (_RAY_ADDRESS, *of_several):
        if flag.present and not _NUM_MACHINES.present:
            raise errors.ConfigError(f"--{flag.name} is of --num_machines: add it")
    # Scripts name a cluster's address, however few machines it has.
    for flag in of_several:
        if flag.present and _NUM_MACHINES.value == 1:
            raise errors.ConfigError(
                f"--{flag.name} is of several machines: not with --num_machines=1"
            )
    config.load(_SCENARIO.value, _METHOD.value, _GIN_FILES.value, _GIN_BINDINGS.value)
    compute.configure()
    settings = Settings()
    if _NUM_MACHINES.value == 1:
        return _train(settings, None)
    if _NUM_MACHINES.value > settings.num_shards:
        raise errors.ConfigError(
            f"--num_machines={_NUM_MACHINES.value} must not exceed Trainer.num_shards = "
            f"{settings.num_shards}",
            page="cluster.md",
        )
    return _train_together(settings)


def _train_together(settings: Settings) -> int:
    """Trains on several machines, and goes on without those that are lost on the way."""
    wishes = head.Wishes(
        _NUM_MACHINES.value,
        timeout_sec=_MACHINE_TIMEOUT_SEC.value or max(300.0, 2 * (settings.step_timeout_sec or 0)),
        replacement_sec=_MACHINE_REPLACEMENT_SEC.value,
    )
    address = ray_cluster.address(_RAY_ADDRESS.value)
    with (
        ray_cluster.connected(address, wishes.num_machines) as ray,
        contextlib.closing(
            head.Machines(ray, wishes, _SEED.value, are_on_one=address is None)
        ) as machines,
    ):
        failures = 0
        while True:
            gc.collect()  # the run that was lost with a machine: its parts hold on to each other
            try:
                return _train(settings, machines.assemble())
            except MachineLostError as error:
                if machines.reason:
                    raise machines.reason from error
                failures = 0 if error.progress else failures + 1
                if failures == settings.crash_limit:
                    raise errors.RunError(
                        f"{error}, {failures} times in the same round",
                        page="cluster.md#what-may-go-wrong",
                    ) from error
                terminal.warn(
                    f"{error}; going on from the last sync point",
                    page="cluster.md#what-may-go-wrong",
                )


def _train(settings: Settings, team: Team | None) -> int:
    pipeline = build(
        settings,
        _WORKDIR.value,
        _SEED.value,
        trace_intervals=_TRACE_INTERVALS.value if _TRACE.value else 0,
        team=team,
    )
    for name in operative.unused(_GIN_BINDINGS.value, operative.text(_SEED.value)):
        terminal.warn(f"--gin_bindings: {name} changes nothing, as nothing of this run uses that")
    try:
        result = pipeline.run()
    except OSError as error:
        if not whole.describe(error):
            raise
        text = f"{whole.describe(error)}; the same command goes on from the last checkpoint"
        return terminal.fail(text, 1)
    except MachineLostError as error:
        if not pipeline.signals.received:
            raise
        # Whoever waits for the end is not to wait for the run to go on without that machine.
        text = f"{error}; stopped, the same command goes on from the last checkpoint"
        return terminal.fail(text, 128 + pipeline.signals.received)
    if pipeline.signals.received:
        terminal.say("stopped with a checkpoint, from which the same command goes on")
    terminal.say(
        f"{result.env_steps:,} env steps, {result.updates:,} updates, "
        f"parameters {result.parameters_sha256}"
    )
    return 128 + pipeline.signals.received if pipeline.signals.received else 0


if __name__ == "__main__":
    command.run(train)
