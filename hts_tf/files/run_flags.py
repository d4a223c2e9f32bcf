"""The flags of commands that open a run: where it is, and what of its own it may import."""

from pathlib import Path

from absl import flags

from hts_tf import config
from hts_tf.files import models

_WORKDIR = flags.DEFINE_string("workdir", None, "of the training run")
_MODEL = flags.DEFINE_string("model", None, "of those that come with hts_tf, instead of a workdir")
flags.mark_flags_as_mutual_exclusive(["workdir", "model"], required=True)
MODULES = flags.DEFINE_list(
    config.MODULES_FLAG,
    [],
    "modules of your own that the run's configuration may import, separated by commas",
)


def workdir() -> str:
    """Returns the run's directory. Raises: ConfigError: there is no such model."""
    return str(models.find(_MODEL.value)) if _MODEL.value else _WORKDIR.value


def results() -> Path:
    """Returns where to write what is made of it: its directory, or of a model one of its own."""
    return Path("runs", "models", _MODEL.value) if _MODEL.value else Path(_WORKDIR.value)
