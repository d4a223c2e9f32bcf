"""Where the runs of comparisons come from: machine, software, settings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hts_tf import operative
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
        found = operative.bindings(workdir.configuration())
        bindings.append({name: repr(value) for name, value in found.items()})
        scopes.append(workdir.scope() or {})
    return {**_values(SCOPE, scopes), **_values(BINDINGS, bindings)}


def _values(names: Iterable[str], tables: list[Mapping[str, str]]) -> dict[str, list[str]]:
    values = {name: sorted({table[name] for table in tables if name in table}) for name in names}
    return {name: some for name, some in values.items() if some}
