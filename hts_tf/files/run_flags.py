"""The flags of commands that open a run: where it is, and what of its own it may import."""

from pathlib import Path

from absl import flags

from hts_tf import errors
from hts_tf.files import models, modules_flag
from hts_tf.files.workdir import Workdir

_WORKDIR = flags.DEFINE_string("workdir", None, "directory of the training run")
_MODEL = flags.DEFINE_string(
    "model", None, "name of a model that comes with hts_tf, instead of a workdir"
)
flags.mark_flags_as_mutual_exclusive(["workdir", "model"], required=True)
MODULES = modules_flag.MODULES


def workdir() -> str:
    """Returns the run's directory. Raises: ConfigError: it is none, or there is no such model."""
    if _MODEL.value:
        return str(models.find(_MODEL.value))
    name = _WORKDIR.value
    if not Workdir(name).config.exists():
        if name in models.names():
            raise errors.ConfigError(f"--workdir={name} is a model: --model={name}")
        if "@" in Path(name).name and not Path(name).exists():
            raise errors.ConfigError(
                f"--workdir={name}: there is no such directory; it is given without @...: "
                "`evaluate` has --checkpoint, and hts_tf.publish makes a model of any policy"
            )
    return name


def results() -> Path:
    """Returns where to write what is made of it: its directory, or of a model one of its own."""
    return Path("runs", "models", _MODEL.value) if _MODEL.value else Path(_WORKDIR.value)
