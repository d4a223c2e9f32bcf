"""The episode archive: enough of every finished episode to play it again, in one compact file.

The file is a row of blocks, appended one at a time: size and CRC-32 of what follows, then zlib's
compression of the episodes' numbers in columns, and of their actions one after another. Where
there are rivals, the names of whom the episodes met come before the columns.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors
from hts_tf.system import whole

FILE_NAME = "episodes.bin"  # of a training run, in its workdir

_BLOCK = struct.Struct("<II")
_COUNT = struct.Struct("<I")
_WITH_NAMES = 1 << 31  # added to the count of a block's episodes
_COLUMNS = {
    "env": "<u4",
    "episode": "<u4",
    "seed": "<u4",
    "interval": "<u4",
    "score": "<f4",
    "episode_return": "<f4",
    "length": "<u4",
}


class Record(NamedTuple):
    """An episode.

    Attributes:
      env: the environment that played it, by its number among those of all machines.
      episode: its number in that environment, from 0.
      seed: what the environment was reset with.
      interval: the interval in which it ended, from 0.
      score: sum of the scores, kept as float32; NaN if it is not known, as the episode was cut
        short.
      episode_return: sum of the rewards, kept as float32; NaN if it is not known.
      actions: from the first to the last, the bytes of one after those of the other.
      action_bytes: of one action.
      opponent: the number of whom it met, see `Rollout.chosen_by`; -1 if that is not known; not
        kept in files.
      task: that it is of; not kept in files, where the seed tells, see `seeding.task_of`.
      against: what people call whom it met; "" where there are no rivals, or if it is not known.
      figures: what the environment tells of it, see `base.StepResult`; not kept in files.
    """

    env: int
    episode: int
    seed: int
    interval: int
    score: float
    episode_return: float
    actions: bytes
    action_bytes: int = 1
    opponent: int = 0
    task: int = 0
    against: str = ""
    figures: tuple[float, ...] = ()

    @property
    def length(self) -> int:
        """Length in env steps."""
        return len(self.actions) // self.action_bytes

    @property
    def update(self) -> int:
        """The update, counted from 1, that learnt from the interval in which it ended."""
        return self.interval + 1


class Archive:
    """A file that episodes are appended to.

    Attributes:
      size: of the file, in bytes.
    """

    def __init__(self, path: Path, size: int) -> None:
        """Opens the file, or creates it.

        Args:
          path: of the file.
          size: how many bytes of it are kept: what was appended after a checkpoint will be
            appended again by the run that goes on from it.

        Raises:
          OSError: the file cannot be written.
        """
        self._file = whole.growing(path)
        self.size = size
        if self._file.seek(0, os.SEEK_END) < size:
            # What is missing stays missing, but nothing may follow a torn block: it would be lost.
            self.size = max((end for end, _ in _blocks(path.read_bytes())), default=0)
        self._file.truncate(self.size)

    def append(self, records: Sequence[Record]) -> None:
        """Appends episodes as one block; nothing for none of them.

        Raises:
          OSError: it cannot be written; names the file.
        """
        if records:
            block = _encode(records)
            whole.append(self._file, block)
            self.size += len(block)

    def sync(self) -> None:
        """Returns when all that has been appended is on the disk."""
        whole.sync(self._file)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._file.close()


def write(path: Path, records: Sequence[Record]) -> None:
    """Writes a file of a few episodes; see `whole.write`."""
    whole.write(path, _encode(records))


def read(path: Path) -> list[Record]:
    """Reads a file, up to its last whole block.

    Args:
      path: of a file that may be cut off or damaged, as by a process killed while it wrote.

    Raises:
      ConfigError: there is no such file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise errors.ConfigError(f"there is no archive to read: {error}") from error
    return [record for _, block in _blocks(content) for record in _decode(block)]


def _blocks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields where each block ends and what it holds, up to the first that is not whole."""
    start = 0
    while start + _BLOCK.size <= len(content):
        size, checksum = _BLOCK.unpack_from(content, start)
        start += _BLOCK.size
        compressed = content[start : start + size]
        # An empty one is no block either, but a file that a crash has filled up with zeros.
        if not size or len(compressed) < size or zlib.crc32(compressed) != checksum:
            return
        start += size
        yield start, zlib.decompress(compressed)


def _encode(records: Sequence[Record]) -> bytes:
    columns = [
        np.array([getattr(record, name) for record in records], dtype).tobytes()
        for name, dtype in _COLUMNS.items()
    ]
    actions = b"".join(record.actions for record in records)
    head = _COUNT.pack(len(records))
    if any(record.against for record in records):
        names = "\0".join(record.against for record in records).encode()
        head = _COUNT.pack(len(records) | _WITH_NAMES) + _COUNT.pack(len(names)) + names
    compressed = zlib.compress(head + b"".join(columns) + actions, level=9)
    return _BLOCK.pack(len(compressed), zlib.crc32(compressed)) + compressed


def _decode(block: bytes) -> Iterator[Record]:
    (count,) = _COUNT.unpack_from(block)
    start = _COUNT.size
    names = [""] * (count & ~_WITH_NAMES)
    if count & _WITH_NAMES:
        count = len(names)
        (size,) = _COUNT.unpack_from(block, start)
        start += _COUNT.size
        names = block[start : start + size].decode().split("\0")
        start += size
    columns = []
    for dtype in _COLUMNS.values():
        column = np.frombuffer(block, dtype, count, start)
        start += column.nbytes
        columns.append(column.tolist())
    # All actions of a block are of one kind.
    action_bytes = max(1, (len(block) - start) // max(1, sum(columns[-1])))
    for *numbers, length, against in zip(*columns, names, strict=True):
        end = start + length * action_bytes
        yield Record(*numbers, block[start:end], action_bytes, against=against)
        start = end
