"""Where the runs of comparisons come from: machine, software, settings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hts_tf import config
from hts_tf.files.workdir import Workdir

# What is told of the scope of the runs, and of their configuration.
SCOPE = ("processor", "GPUs", "hts_tf", "commit", "tensorflow", "gfootball", "precision")
BINDINGS = (
    "Trainer.num_envs",
    "Trainer.num_executors",
    "Trainer.num_actors",
    "Trainer.sync_interval",
    "Trainer.total_env_steps",
)


def describe(comparisons: Sequence[Path]) -> dict[str, list[str]]:
    """Reads the workdirs below comparisons' directories.

    Returns:
      Name -> the different values that its runs have, `SCOPE` and `BINDINGS` only; empty if there
      are no workdirs.
    """
    scopes, bindings = [], []
    for path in (path for directory in comparisons for path in directory.glob("*/config.gin")):
        workdir = Workdir(path.parent)
        bindings.append(_resolved(config.bindings(workdir.configuration())))
        scopes.append(workdir.scope() or {})
    return {**_values(SCOPE, scopes), **_values(BINDINGS, bindings)}


def _values(names: Iterable[str], tables: list[Mapping[str, str]]) -> dict[str, list[str]]:
    values = {name: sorted({table[name] for table in tables if name in table}) for name in names}
    return {name: some for name, some in values.items() if some}


def _resolved(bindings: dict[str, str]) -> dict[str, str]:
    """Returns bindings with the values of macros in their places."""
    resolved = {}
    for name, value in bindings.items():
        while value.startswith("%") and value[1:] in bindings:
            value = bindings[value[1:]]
        resolved[name] = value
    return resolved
