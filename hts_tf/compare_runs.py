"""Command line: says up to which update two runs are the same to the bit, and where they part.

`python -m hts_tf.compare_runs WORKDIR WORKDIR` exits with 0 if all updates that both runs have made
are the same, with 1 if one differs, and with 2 if the workdirs cannot be compared.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import differences, errors, operative, rollouts
from hts_tf.files import fingerprint_log, scope
from hts_tf.files.workdir import Workdir
from hts_tf.system import command


class Place(NamedTuple):
    """Where in a storage two runs differ first: earliest in time, and there nearest to the cause.

    Attributes:
      array: a leaf of the rollout, see `rollouts.leaves`.
      step: row of the array; T is the observation after the last step, and its value.
      column: of the array, one for each player of each environment.
      cells: how many cells of this array differ.
      of: how many it has.
    """

    array: str
    step: int
    column: int
    cells: int
    of: int


def first_place(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> Place | None:
    """Finds the first difference between the cells of two storages of the same shape.

    Args:
      a: name -> [T + 1, B] checksums of cells, causes first.
      b: the same of the other run.
    """
    places = []
    for order, name in enumerate(a):
        different = np.argwhere(a[name] != b[name])
        if len(different):
            step, column = map(int, different[0])
            rows = a[name].shape[0] - (rollouts.field_of(name) not in rollouts.WITH_LAST_ROW)
            count = rows * a[name].shape[1]
            places.append((step, order, Place(name, step, column, len(different), count)))
    return min(places)[2] if places else None


def likely_causes(a: Workdir, b: Workdir) -> list[str]:
    """Returns what may have changed results: other bindings, then other scopes.

    Of the two runs, and of the parts of one that has gone on with other versions.
    """
    places = (f"in {a.path}", f"in {b.path}")
    texts = [workdir.configuration() for workdir in (a, b)]
    bound = [{*operative.bindings(text)} - differences.FREE_BINDINGS for text in texts]
    if bound[0] != bound[1]:  # what one lacks has its default, which these know
        import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
        from hts_tf import config, settings  # noqa: F401  gin configurables
    causes = differences.between(*texts, places)
    made = [workdir.scopes() for workdir in (a, b)]
    if all(made):
        causes += [
            f"{name}: {old} {places[0]}, {new} {places[1]}"
            for name, old, new in scope.differences(made[0][-1], made[1][-1])
        ]
    for place, scopes in zip(places, made, strict=True):
        causes += dict.fromkeys(
            f"{name}: {old} {place} before, then {new}"
            for earlier in scopes[:-1]
            for name, old, new in scope.differences(earlier, scopes[-1])
        )
    return causes


def compare(a: Path, b: Path) -> tuple[bool, str]:
    """Compares the fingerprints of two workdirs.

    Returns:
      Whether all updates that both runs have made are the same, and the finding in words.

    Raises:
      ConfigError: one holds no fingerprints, or they have no update in common.
    """
    tables = [fingerprint_log.read_table(path) for path in (a, b)]
    common = sorted(set(tables[0]) & set(tables[1]))
    if not common:
        raise errors.ConfigError(f"{a} and {b} have no update in common")
    for update in common:
        rows = [table[update] for table in tables]
        different = fingerprint_log.different(*rows)
        if different:
            return False, _difference(a, b, update, different)
    text = f"identical up to update {common[-1]:,}"
    lasts = [max(table) for table in tables]
    if lasts[0] != lasts[1]:
        shorter, longer = (a, b) if lasts[0] < lasts[1] else (b, a)
        text += f", where {shorter} ends; {longer} goes on to update {max(lasts):,}"
    if len(common) < common[-1]:
        text += f" ({common[-1] - len(common):,} updates before it have no fingerprint in both)"
    return True, text


def _difference(a: Path, b: Path, update: int, different: list[str]) -> str:
    cells = [fingerprint_log.read_cells(path, update) for path in (a, b)]
    place = None
    if all(cells) and _shapes(cells[0]) == _shapes(cells[1]):
        place = first_place(*cells)
    first = place.array if place else different[0]
    text = f"different from update {update:,} on, first in {first}"
    if place:
        at = f"[{place.step}, {place.column}]"
        text += f" at {at} ({place.cells:,} of its {place.of:,} cells differ)"
    others = [name for name in different if name != first]
    if others:
        text += f"; then in {', '.join(others)}"
    return text


def _shapes(cells: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in cells.items()}


def run(*workdirs: str) -> int:
    """Compares, and returns the exit code.

    Raises:
      ConfigError: the workdirs cannot be compared.
    """
    if len(workdirs) != 2:
        raise errors.ConfigError("two workdirs are wanted: python -m hts_tf.compare_runs A B")
    a, b = map(Path, workdirs)
    try:
        causes = likely_causes(Workdir(a), Workdir(b))
        same, text = compare(a, b)
    except OSError as error:  # with which a command ends with 1, as if they differed
        raise errors.ConfigError(f"they cannot be compared: {error}") from error
    for cause in causes:
        print(f"the runs differ in {cause}")
    print(text)
    return 0 if same else 1


if __name__ == "__main__":
    command.run(run, takes_arguments=True)
