"""Where a command may write what it was asked for: found out before the work is done."""

import re
from collections.abc import Sequence
from pathlib import Path

from hts_tf import errors
from hts_tf.system import whole


def named(path: str) -> Path:
    """Returns the path of an --output. Raises: ConfigError: it has no name."""
    if not Path(path).name:
        raise errors.ConfigError(f"--output={path} names no file")
    return Path(path)


def new(path: str) -> Path:
    """Returns the path of an --output. Raises: ConfigError: it is there already."""
    if Path(path).exists():
        raise errors.ConfigError(f"--output={path} is there already: remove it, or give another")
    return Path(path)


def prepare(path: Path, what: str) -> None:
    """Makes a file's directory, and finds out before the work whether `whole.write` can write it.

    Raises:
      ConfigError: it cannot; see `whole.refusing` and `whole.check`.
    """
    with whole.refusing(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.check(path)


def check_table(
    output: Path, path: Path, columns: Sequence[str], kind: str, or_more: bool = False
) -> None:
    """Finds out before the work is done whether a table may take the place of what is there.

    Args:
      output: as the flag has it.
      path: of the table.
      columns: by which such a table is known.
      kind: of table, for the message.
      or_more: whether others may follow.

    Raises:
      ConfigError: something else is there.
    """
    with whole.refusing("--output"):
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        found = text.partition("\n")[0].split(",")
        if text and (found[: len(columns)] if or_more else found) != [*columns]:
            raise errors.ConfigError(
                f"--output={output}: {path} is there, and no table of {kind}; take another name"
            )


def as_name(text: str) -> str:
    """Returns what a file can be called after a text such as a path: its end, for the most part."""
    name = re.sub(r"[^\w@.-]+", "-", text).strip("-")
    return name.encode()[-100:].decode(errors="ignore")  # what file systems limit are bytes
