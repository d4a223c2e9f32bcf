"""What several benchmarks have in common: how flags are checked, and where they write."""

from collections.abc import Iterable, Sequence
from typing import Any

from hts_tf import errors
from hts_tf.system import outputs, whole


def check_counts(flag: str, texts: Iterable[str]) -> None:
    """Raises: ConfigError: the value of a flag that lists whole numbers of at least 1 does not."""
    for text in texts:
        if not text.isdecimal() or int(text) < 1:
            raise errors.ConfigError(f"--{flag} takes whole numbers of at least 1, not {text!r}")


class Table:
    """The CSV file of `--output`: whole whenever a row is added, and as it was until the first."""

    def __init__(self, output: str | None, columns: Sequence[str]) -> None:
        """Writes nothing yet.

        Args:
          output: the flag; None keeps nothing.
          columns: of the table.

        Raises:
          ConfigError: it cannot be written, or something else is there.
        """
        self._path = outputs.named(output) if output is not None else None
        self._columns = columns
        self._rows: list[Iterable[Any]] = []
        if self._path is not None:
            with whole.refusing("--output"):
                whole.check(self._path)
            outputs.check_table(self._path, self._path, columns, "this benchmark")

    def add(self, *rows: Iterable[Any]) -> None:
        """Writes further rows; a None in them is written as nothing."""
        self._rows += map(tuple, rows)
        if self._path is not None:
            with whole.refusing("--output"):
                whole.write_csv(self._path, self._columns, self._rows)
