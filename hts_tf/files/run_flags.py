"""The flags of commands that open a run: where it is, and what of its own it may import."""

from absl import flags

from hts_tf import config

WORKDIR = flags.DEFINE_string("workdir", None, "of the training run", required=True)
MODULES = flags.DEFINE_list(
    config.MODULES_FLAG,
    [],
    "modules of your own that the run's configuration may import, separated by commas",
)
