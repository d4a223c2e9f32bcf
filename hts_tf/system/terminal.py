"""What is printed by those who go on if nobody can read it any more.

The terminal may be gone, or the reader of a pipe, or the room on the disk of a log.
"""

import contextlib
import io
import os
import sys

from hts_tf import errors

FAILED = "error: "  # so begins what a command that fails says last

_is_quiet = False


def be_quiet() -> None:
    """Has `say` write nothing from now on."""
    global _is_quiet
    _is_quiet = True


def is_quiet() -> bool:
    """Returns whether `say` writes nothing."""
    return _is_quiet


def say(text: str, end: str = "\n") -> None:
    """Writes to standard output."""
    if _is_quiet:
        return
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except OSError:
        drop_output()


def drop_output() -> None:
    """Drops what standard output could not take, and all that comes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Heedless(io.FileIO):
    """Takes whatever is written, and drops what it cannot pass on."""

    def write(self, data: memoryview) -> int:
        """See base class."""
        try:
            written = super().write(data)
        except OSError:
            written = None
        return len(data) if written is None else written


def be_heedless() -> None:
    """Has `print`, whoever calls it in this process, raise nothing where nobody can read it."""
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(_Heedless(fd, "wb", closefd=False)),
            stream.encoding,
            "backslashreplace",  # for what the encoding lacks
            line_buffering=stream.line_buffering or stream.write_through,
        )
        for fd, stream in ((1, sys.stdout), (2, sys.stderr))
    )


def tell(text: str) -> None:
    """Writes to standard error in one piece: several processes and threads may share it.

    Not by `print`, in the middle of which a signal may come that has something to tell.
    """
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="backslashreplace"))


def warn(text: str, page: str | None = None) -> None:
    """Tells of something that the run survives, below a live progress line if there is one.

    Args:
      text: of it.
      page: of the documentation that tells more, see `errors.with_page`.
    """
    newline = "\n" if os.isatty(2) else ""
    tell(f"{newline}warning: {errors.with_page(text, page)}")


def fail(message: str, code: int) -> int:
    """Tells in a line why a command fails, and returns the exit code that it is given."""
    line, *_ = message.splitlines() or [""]
    tell(f"{FAILED}{line}")
    return code
