"""Command line: trains an agent."""

import signal

from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import config
from hts_tf.build import build
from hts_tf.settings import Settings
from hts_tf.system import command, compute, terminal, whole

_SCENARIO = flags.DEFINE_string(
    "scenario",
    "academy_empty_goal_close",
    "a file of gin_configs/scenarios, a scenario of gfootball, or an id of Gymnasium",
)
_METHOD = flags.DEFINE_string("method", "hts_ppo", "a file of gin_configs/methods")
_WORKDIR = flags.DEFINE_string("workdir", None, "where the run is kept", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "of everything random in the run", lower_bound=0)
_GIN_FILES = flags.DEFINE_multi_string("gin_files", [], "further gin files")
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "further gin bindings, for example 'Trainer.num_envs = 16'"
)
_TRACE = flags.DEFINE_bool(
    "trace", False, "record who works and who waits, as trace.json and trace.png in the workdir"
)
_TRACE_INTERVALS = flags.DEFINE_integer(
    "trace_intervals", 2, "to record with --trace; of impala: updates", lower_bound=1
)


def train() -> int:
    """Trains, and returns the exit code.

    Raises:
      ConfigError: a flag or a binding cannot be used.
      RunError: the run cannot go on.
    """
    config.load(_SCENARIO.value, _METHOD.value, _GIN_FILES.value, _GIN_BINDINGS.value)
    compute.configure()
    pipeline = build(
        Settings(),
        _WORKDIR.value,
        _SEED.value,
        trace_intervals=_TRACE_INTERVALS.value if _TRACE.value else 0,
    )
    try:
        result = pipeline.run()
    except OSError as error:
        if not whole.describe(error):
            raise
        text = f"{whole.describe(error)}; the same command goes on from the last checkpoint"
        return terminal.fail(text, 1)
    except KeyboardInterrupt:
        return 128 + (pipeline.signals.received or signal.SIGINT)
    terminal.say(
        f"{result.env_steps:,} env steps, {result.updates:,} updates, "
        f"parameters {result.parameters_sha256}"
    )
    return 128 + pipeline.signals.received if pipeline.signals.received else 0


def main() -> None:
    """Entry point."""
    command.run(train)


if __name__ == "__main__":
    main()
