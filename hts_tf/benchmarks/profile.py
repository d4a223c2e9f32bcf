"""Command line: where a role of a training spends its time, by py-spy or perf.

py-spy sees Python: each sample is where a thread of the role stands, at work or waiting. perf sees
machine code, and only time on a processor. Actors and learner are threads of one process, and
TensorFlow computes for both in threads of its own; py-spy tells them apart, perf does not.
"""

from absl import flags

from hts_tf.benchmarks import kernel, profilers, training_run
from hts_tf.system import command

_ROLE = flags.DEFINE_enum(
    "role", "executor", ["executor", "actor", "learner"], "whose time is profiled"
)
_SECONDS = flags.DEFINE_integer("seconds", 20, "seconds to watch", lower_bound=1)
_SCENARIO = flags.DEFINE_string("scenario", "academy_3_vs_1_with_keeper", "scenario of gfootball")
_TOOL = flags.DEFINE_enum(
    "tool", None, ["py-spy", "perf"], "profiler; default: the first one installed"
)
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further settings of the training")

_TOP = 30  # lines
_WIDTH = 120  # characters: C++ names can fill a screen


def benchmark() -> None:
    """Starts a training, watches a role of it once it is under way, and prints the top functions.

    Raises:
      ConfigError: no profiler is installed.
      ChildError: the training refused its configuration, or something failed.
    """
    tool, path = profilers.find(_TOOL.value)
    with training_run.start(_SCENARIO.value, 0, _GIN_BINDINGS.value) as training:
        for _ in range(2):  # the second interval's end: nothing is left to be compiled
            training.wait_for_sync_point()
        pid = training.pid
        if _ROLE.value == "executor":
            pid = kernel.executors_of(pid)[0]
        lines = profilers.watch(tool, path, pid, _ROLE.value, _SECONDS.value)
    role = _ROLE.value
    if tool == "perf" and role != "executor":
        role = "actors and learner, which perf cannot tell apart,"
    print(f"{role} on {_SCENARIO.value}, {_SECONDS.value} s of process {pid} by {tool}")
    print("\n".join(line[:_WIDTH] for line in lines[: _TOP + 1]))


if __name__ == "__main__":
    command.run(benchmark)
