"""Checkpoints: named arrays in one file; atomic, checksummed, and free of pickle.

A file is the SHA-256 of the rest, then an `.npz`. In it whole numbers are deflated, which makes
observations a tenth as large in no time; floats, which are noise in all but a few bits, are not.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from hts_tf import errors
from hts_tf.system import terminal, whole

_SUFFIX = ".ckpt"
_DIGEST_BYTES = hashlib.sha256().digest_size


def path_of(directory: Path, number: int) -> Path:
    """Returns where the checkpoint of a number lies in a directory."""
    return directory / f"{number:09d}{_SUFFIX}"


def save(
    directory: Path, number: int, arrays: Mapping[str, np.ndarray], keep: int | None = None
) -> Path:
    """Writes a checkpoint and removes all but the newest.

    Args:
      directory: of the checkpoints; created if missing.
      number: higher is newer.
      arrays: of any types but objects.
      keep: how many checkpoints stay, at least 1; None for all.

    Raises:
      TypeError: an array holds objects.
      OSError: it cannot be written; names it. The others are still there.

    Returns:
      The file. It appears under its name only when all of it is on the disk.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{name} holds objects, which would have to be pickled")
    directory.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            _add(archive, name, np.asanyarray(array))
    data = content.getbuffer()  # no copy: it may be large
    path = path_of(directory, number)
    for half in directory.glob("*.tmp"):  # of who was killed; its room may be what is missing
        half.unlink()
    whole.write(path, hashlib.sha256(data).digest(), data)
    if keep:
        there = paths(directory)
        place = there.index(path)
        # Newer ones are damaged: this run could not go on from them.
        for other in (*there[:place], *there[place + keep :]):
            other.unlink()
    return path


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    member = zipfile.ZipInfo(f"{name}.npy")
    if array.dtype.kind in "bui":
        member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def digest(path: Path) -> bytes:
    """Returns the SHA-256 that a checkpoint begins with. Raises: OSError: it cannot be read."""
    with path.open("rb") as file:
        return file.read(_DIGEST_BYTES)


def paths(directory: Path) -> list[Path]:
    """Returns the checkpoints in a directory, newest first; files of other names are none."""
    named = [path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal()]
    ours = [path for path in named if path == path_of(directory, int(path.stem))]
    return sorted(ours, key=lambda path: int(path.stem), reverse=True)


def load(path: Path) -> dict[str, np.ndarray]:
    """Reads a checkpoint.

    Raises:
      errors.ConfigError: the file is damaged.
      FileNotFoundError: it is gone, as when newer ones have taken its place.
    """
    data = path.read_bytes()
    if hashlib.sha256(memoryview(data)[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
        raise errors.ConfigError(f"checkpoint {path} is damaged")
    content = io.BytesIO(data)  # no copy: it may be large
    content.seek(_DIGEST_BYTES)
    with np.load(content, allow_pickle=False) as arrays:
        return dict(arrays)


def each(directory: Path) -> Iterator[dict[str, np.ndarray]]:
    """Yields the checkpoints in a directory that are whole, newest first; warns of the others."""
    tried: set[Path] = set()
    while there := [p for p in paths(directory) if p not in tried]:
        tried.add(there[0])
        try:
            yield load(there[0])
        except FileNotFoundError:  # of a run that goes on: there is a newer one now
            pass
        except errors.ConfigError as error:
            terminal.warn(f"{error}; passed over")
