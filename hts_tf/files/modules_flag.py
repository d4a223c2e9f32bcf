"""The flag of commands that load what a workdir remembers: what that may import."""

from absl import flags

MODULES = flags.DEFINE_list(
    "modules",
    [],
    "modules of your own that a run's configuration may import, separated by commas",
)
