"""All figures of a run in a table that anything can read."""

import csv
from collections.abc import Mapping
from pathlib import Path

from hts_tf import errors
from hts_tf.configurables import configurable
from hts_tf.observers.observer import Observer, Run
from hts_tf.system import whole

FILE_NAME = "progress.csv"
_STEPS = "env_steps"
_OF_SNAPSHOTS = ("opponents/win_rate/update ", "opponents/rating_of/update ")  # as there


@configurable
class CsvLog(Observer):
    """Writes `progress.csv` into the workdir: a row for each update, a column for each figure.

    Cells are empty before the figure was first known. Win rates against single snapshots, and their
    ratings, are left out: there are ever more of these, and each would be a column.
    """

    def __init__(self) -> None:
        """Writes nothing yet."""
        self._path = Path()
        self._columns: list[str] = []

    def begin(self, run: Run) -> None:
        """See `Observer`."""
        self._path = run.workdir / FILE_NAME
        self._columns = [_STEPS]
        rows = []
        if run.env_steps and self._path.exists():
            try:
                lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
                # The last may have been cut short.
                table = csv.DictReader(line for line in lines if line.endswith("\n"))
                rows = [row for row in table if int(row[_STEPS]) <= run.env_steps]
                self._columns = list(table.fieldnames)
                # The last update of `hts` has as many env steps as the one before, and is yet to
                # be made.
                told = [int(row[_STEPS]) for row in rows].count(run.env_steps)
                if told > 1 and not run.is_complete:
                    del rows[1 - told :]
            except (KeyError, TypeError, ValueError, csv.Error) as error:
                raise errors.ConfigError(f"{self._path} is damaged: {error}") from error
        self._write(rows)

    def after_update(self, env_steps: int, figures: Mapping[str, float]) -> None:
        """See `Observer`."""
        lasting = {n: value for n, value in figures.items() if not n.startswith(_OF_SNAPSHOTS)}
        row = {_STEPS: env_steps, **lasting}
        new = [name for name in row if name not in self._columns]
        if new:
            with self._path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self._columns += new
            self._write(rows)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def before_checkpoint(self) -> None:
        """See `Observer`."""
        with whole.growing(self._path) as file:
            whole.sync(file)

    def _write(self, rows: list[dict[str, str]]) -> None:
        cells = ([row.get(column, "") for column in self._columns] for row in rows)
        whole.write_csv(self._path, self._columns, cells)
