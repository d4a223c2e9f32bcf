"""Where the runs of comparisons come from: machine, software, settings."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hts_tf import comparison, operative
from hts_tf.files.workdir import Workdir
from hts_tf.report.runs import Run

# What is told of the scope of the runs, and of their configuration.
SCOPE = ("processor", "GPUs", "hts_tf", "commit", "tensorflow", "gfootball", "precision")
BINDINGS = (
    "Trainer.num_envs",
    "Trainer.num_executors",
    "Trainer.num_actors",
    "Trainer.sync_interval",
    "Trainer.total_env_steps",
)


def describe(comparisons: Sequence[Path], runs: Iterable[Run]) -> dict[str, list[str]]:
    """Reads the workdirs of runs below comparisons' directories.

    Returns:
      Name -> the different values that its runs have, `SCOPE` and `BINDINGS` only; empty if there
      are no workdirs.
    """
    scopes, bindings = [], []
    names = {str(comparison.Run(run.method, run.scenario, int(run.seed))) for run in runs}
    for directory, name in itertools.product(comparisons, sorted(names)):
        workdir = Workdir(directory / name)
        if not workdir.config.exists():
            continue
        found = operative.bindings(workdir.configuration())
        bindings.append({name: repr(value) for name, value in found.items()})
        scopes += workdir.scopes()
    return {**_values(SCOPE, scopes), **_values(BINDINGS, bindings)}


def _values(names: Iterable[str], tables: list[Mapping[str, str]]) -> dict[str, list[str]]:
    values = {name: sorted({table[name] for table in tables if name in table}) for name in names}
    return {name: some for name, some in values.items() if some}
