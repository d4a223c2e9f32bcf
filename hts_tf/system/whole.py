"""Files that are whole or not there, whatever is full, killed or interrupted.

Writing by itself leaves half a file, and its errors do not say of which.
"""

import contextlib
import csv
import errno
import glob
import io
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hts_tf import errors

# What is wrong with the machine, and not with what it was asked for.
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def write(path: Path, *parts: bytes | memoryview) -> None:
    """Writes a file; it appears under its name only when all of it is on the disk.

    Raises:
      OSError: it cannot be written; names it. What was there before still is, and nothing else.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with naming(path):
        try:
            with _new(temporary) as file:
                for part in parts:
                    append(file, part)
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_directory(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def directory(path: Path, what: str) -> Iterator[Path]:
    """Yields a place for a directory that gets its name when the block is done, or is not there.

    Raises:
      ConfigError: it cannot have that name; see `refusing`.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        pid = left.name.split(".")[-2]
        if pid.isdecimal() and not Path("/proc", pid).exists():  # of who was killed
            shutil.rmtree(left, ignore_errors=True)
    # Of this process: another one may be making the same, and the first to be done has the name.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with refusing(what):
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _new(path: Path) -> io.FileIO:
    """Opens a file anew: not what a link leads to, see `no_link`."""
    path.unlink(missing_ok=True)
    return path.open("xb", buffering=0)


def _sync_directory(path: Path) -> None:
    """Returns when the names in it are on the disk, where its file system can tell."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def check(path: Path) -> None:
    """Finds out before the work is done whether `write` can write there.

    Raises:
      OSError: it cannot; names the file. What is there stays as it is.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with naming(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # A device, or a link to one, would be replaced by the file: by root, for everybody.
        if path.parent.resolve() == Path("/dev") or (path.exists() and not path.is_file()):
            raise OSError(errno.EINVAL, "no plain file")
        _new(temporary).close()
        temporary.unlink()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Writes a table; see `write`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    write(path, text.getvalue().encode())


def append(file: io.FileIO, data: bytes | memoryview) -> None:
    """Writes all of it to an unbuffered file, which by itself may take less, and not complain.

    Raises:
      OSError: it cannot be written; names the file.
    """
    with naming(file.name):
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def growing(path: Path) -> io.FileIO:
    """Opens a file for `append`, or makes it. Raises: OSError: it cannot be, or is a link."""
    return open(path, "ab", buffering=0, opener=no_link)  # `Path.open` takes none


def no_link(name: str, flags: int) -> int:
    """An opener of files, but not of what a link leads to: a workdir may be from anybody."""
    return os.open(name, flags | os.O_NOFOLLOW, 0o666)


def sync(file: io.FileIO) -> None:
    """Returns when all that a file was given is on the disk.

    Raises:
      OSError: it is not; names the file.
    """
    with naming(file.name):
        os.fsync(file.fileno())


@contextlib.contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Within its block, whatever fails is the fault of this file."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Within its block, a place that cannot be written is bad input; a disk that is full is not.

    Args:
      what: a flag, or what was to be written.

    Raises:
      ConfigError: the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_MACHINE:
            raise
        raise errors.ConfigError(f"{what} cannot be written: {error}") from error


def describe(error: OSError) -> str | None:
    """Returns what could not be used, and why; None if an error is about neither file nor disk."""
    if error.filename is None and error.errno not in _OF_THE_MACHINE:
        return None
    return f"{error.filename or 'standard output'}: {error.strerror}"
