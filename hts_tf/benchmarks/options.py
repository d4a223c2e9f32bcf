"""What several benchmarks have in common: how flags are checked, and where they write."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from hts_tf import errors
from hts_tf.system import whole


def check_counts(flag: str, texts: Iterable[str]) -> None:
    """Raises: ConfigError: the value of a flag that lists whole numbers of at least 1 does not."""
    for text in texts:
        if not text.isdecimal() or int(text) < 1:
            raise errors.ConfigError(f"--{flag} takes whole numbers of at least 1, not {text!r}")


@contextlib.contextmanager
def csv_file(output: str | None) -> Iterator[TextIO]:
    """Opens the file of `--output`, to be written with `csv.writer`; None keeps nothing.

    Raises:
      ConfigError: it cannot be written.
    """
    with whole.refusing("--output"):
        file = Path(output or os.devnull).open("w", newline="")  # noqa: SIM115  closed below
    with file:
        yield file
