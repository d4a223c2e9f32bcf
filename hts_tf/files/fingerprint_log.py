"""The files in which a workdir keeps fingerprints: `fingerprints.csv` and `fingerprints.cells`.

The table has a row per update. The other file has a record per update: the update and the
record's length (two little-endian uint32), then the cells as a deflated `.npy`.
Both only grow, and may break off anywhere if the run was killed.
"""

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from hts_tf.errors import ConfigError
from hts_tf.files.fingerprints import AFTER_THE_UPDATE, Fingerprint, causes_first
from hts_tf.system import terminal, whole

TABLE = "fingerprints.csv"
CELLS = "fingerprints.cells"
_FIRST_COLUMNS = ["update", "env_steps", *AFTER_THE_UPDATE]  # then the storage's arrays
_LINE = re.compile(r"(\d+),\d+((,[0-9a-f]{16})+)\n")
_RECORD = struct.Struct("<II")


class FingerprintLog:
    """Writes the fingerprints of a run, so that a resumed run's files are an uninterrupted one's.

    What the files hold of updates that the run has still to live through again is dropped, and
    remembered: if an update comes out otherwise this time, a warning says so, once.
    """

    def __init__(self, directory: Path, arrays: Iterable[str], updates: int) -> None:
        """Opens the files.

        Args:
          directory: the workdir.
          arrays: names of the storage's arrays.
          updates: how many updates of the run stand; what comes after them is dropped.
        """
        self._columns = [*_FIRST_COLUMNS, *arrays]
        columns, lines = _read_lines(directory / TABLE)
        if columns != self._columns:
            lines = {}
        self._dropped = {update: line for update, line in lines.items() if update > updates}
        kept = [line for update, line in lines.items() if update <= updates]
        text = "".join([",".join(self._columns) + "\n", *kept])
        whole.write(directory / TABLE, text.encode())
        self._table = (directory / TABLE).open("ab", buffering=0)

        self._cells = whole.growing(directory / CELLS)
        end = 0
        for update, cells in _records(directory / CELLS):
            if not 0 < update <= updates:  # 0: zeros, which a machine that crashed has left
                break
            end = cells.stop
        self._cells.truncate(end)

    def append(
        self, update: int, env_steps: int, fingerprint: Fingerprint, is_repeatable: bool = True
    ) -> None:
        """Writes the fingerprint of an update.

        Args:
          update: its number, from 1.
          env_steps: consumed up to and with it.
          fingerprint: its own.
          is_repeatable: whether one that was made before an interruption should be the same.

        Raises:
          OSError: it cannot be written; names the file.
        """
        content = io.BytesIO()
        np.save(content, fingerprint.cells)
        deflated = zlib.compress(content.getvalue(), 1)
        whole.append(self._cells, _RECORD.pack(update, len(deflated)) + deflated)
        hashes = [fingerprint.hashes[name] for name in self._columns[2:]]
        line = ",".join([str(update), str(env_steps), *hashes]) + "\n"
        whole.append(self._table, line.encode())
        if is_repeatable:
            self._compare_with_earlier_life(update, line)

    def sync(self) -> None:
        """Returns when all is on the disk: a checkpoint must not outlive what came before it."""
        for file in (self._cells, self._table):
            whole.sync(file)

    def close(self) -> None:
        """Closes the files; may be called twice."""
        self._cells.close()
        self._table.close()

    def _compare_with_earlier_life(self, update: int, line: str) -> None:
        before = self._dropped.pop(update, line)
        if before == line:
            return
        self._dropped.clear()
        array = different(*(_row(self._columns, old_or_new) for old_or_new in (before, line)))[0]
        terminal.warn(
            f"update {update} differs, first in {array}, from that before the interruption: "
            "this machine or its software no longer gives the same bits",
            page="reproducibility.md#what-a-result-depends-on",
        )


def clear(directory: Path) -> None:
    """Removes the files of a run that is gone."""
    for name in (TABLE, CELLS):
        (directory / name).unlink(missing_ok=True)


def different(a: dict[str, str], b: dict[str, str]) -> list[str]:
    """Returns the columns in which two rows of an update differ, causes first."""
    arrays = causes_first(_storage_arrays({**a, **b}))
    names = ["env_steps", *arrays, *AFTER_THE_UPDATE]
    return [name for name in names if a.get(name) != b.get(name)]


def read_table(directory: Path) -> dict[int, dict[str, str]]:
    """Returns update -> column -> text, in order.

    Raises:
      ConfigError: the directory holds no fingerprints.
    """
    columns, lines = _read_lines(directory / TABLE)
    rows = {update: _row(columns, line) for update, line in lines.items()}
    if not rows:
        raise ConfigError(
            f"{directory} holds no fingerprints: no rows in {TABLE}",
            page="reproducibility.md#what-a-result-depends-on",
        )
    return rows


def read_cells(directory: Path, update: int) -> dict[str, np.ndarray] | None:
    """Returns name -> [T + 1, B] uint16 of an update's storage; None without a whole record."""
    columns, _ = _read_lines(directory / TABLE)
    for number, place in _records(directory / CELLS):
        if number == update:
            with (directory / CELLS).open("rb") as file:
                file.seek(place.start)
                deflated = file.read(place.stop - place.start)
            with contextlib.suppress(zlib.error, ValueError):  # damaged
                cells = np.load(io.BytesIO(zlib.decompress(deflated)), allow_pickle=False)
                return dict(zip(causes_first(_storage_arrays(columns)), cells, strict=True))
    return None


def _row(columns: Sequence[str], line: str) -> dict[str, str]:
    return dict(zip(columns, line.rstrip("\n").split(","), strict=True))


def _storage_arrays(columns: Iterable[str]) -> list[str]:
    return [name for name in columns if name not in _FIRST_COLUMNS]


def _read_lines(path: Path) -> tuple[list[str], dict[int, str]]:
    """Returns the columns of a table, and update -> line; whole lines only."""
    if not path.exists():
        return [], {}
    text = path.read_text(encoding="utf-8", errors="replace")
    header, *lines = text.splitlines(keepends=True) or [""]
    columns = header.rstrip("\n").split(",")
    matches = [_LINE.fullmatch(line) for line in lines]
    return columns, {
        int(match[1]): match[0]
        for match in matches
        if match and len(match[0].split(",")) == len(columns)
    }


def _records(path: Path) -> Iterator[tuple[int, slice]]:
    """Yields (update, where its deflated cells are) for each whole record."""
    if not path.exists():
        return
    size = path.stat().st_size
    start = _RECORD.size
    with path.open("rb") as file:
        while start <= size:
            update, length = _RECORD.unpack(file.read(_RECORD.size))
            cells = slice(start, start + length)
            if cells.stop <= size:  # else it was cut short
                yield update, cells
            file.seek(cells.stop)
            start = cells.stop + _RECORD.size
