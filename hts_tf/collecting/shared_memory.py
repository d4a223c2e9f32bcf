"""Arrays shared between processes, in anonymous memory that cannot be left behind.

The memory has no name: it is a `memfd`, reached through a file descriptor that is inherited by
the executors, and the kernel frees it with its last user, also after `kill -9`. It does not lie
in /dev/shm and is not limited by that mount's size (64 MB in many containers), only by memory.
"""

import math
import mmap
import os
from collections.abc import Mapping

import numpy as np

_ALIGNMENT = 64  # bytes: arrays start on their own cache line

Fields = Mapping[str, tuple[tuple[int, ...], str]]


def grouped(**groups: Fields) -> Fields:
    """Returns the fields of several groups, named `group/...`; see `SharedArrays.group`."""
    return {
        f"{group}/{name}": field
        for group, fields in groups.items()
        for name, field in fields.items()
    }


def played(array: np.ndarray, axis: int) -> np.ndarray | memoryview:
    """Returns by what to read and write elements [i, j, ...], as environments have them.

    Numbers by a memoryview, which takes half the time of an array; and what are arrays themselves
    by the array.

    Args:
      array: any, in which players have this axis.
      axis: of so many indices; it is left out for a single player, see `EnvironmentSpec.players`.
    """
    if array.shape[axis] == 1:
        array = array.squeeze(axis)
    return array.data if array.ndim == axis else array


def _aligned_nbytes(shape: tuple[int, ...], dtype: str) -> int:
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    return -(-nbytes // _ALIGNMENT) * _ALIGNMENT


def total_nbytes(fields: Fields) -> int:
    """Returns the bytes that `SharedArrays(fields)` takes."""
    return sum(_aligned_nbytes(shape, dtype) for shape, dtype in fields.values())


class SharedArrays:
    """Named arrays in one piece of shared memory.

    The process that creates it passes `fd` and `fields` on; another maps the same memory with
    `SharedArrays(fields, fd)`. Fresh memory is zero, but floats are NaN: a number that was read
    without having been written must not look like one.

    Attributes:
      fields: name -> (shape, dtype).
      fd: file descriptor of the memory.
    """

    def __init__(self, fields: Fields, fd: int | None = None) -> None:
        self.fields = dict(fields)
        fresh = fd is None
        nbytes = max(total_nbytes(fields), 1)
        if fd is None:
            fd = os.memfd_create("hts_tf")
            os.ftruncate(fd, nbytes)
        self.fd = fd
        self._memory = mmap.mmap(fd, nbytes)
        self._arrays = {}
        offset = 0
        for name, (shape, dtype) in self.fields.items():
            count = int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(self._memory, dtype, count, offset).reshape(shape)
            if fresh and array.dtype.kind == "f":
                array.fill(np.nan)
            self._arrays[name] = array
            offset += _aligned_nbytes(shape, dtype)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def group(self, prefix: str) -> dict[str, np.ndarray]:
        """Returns the arrays named `prefix/...`, keyed by the rest of their names."""
        start = prefix + "/"
        return {
            name.removeprefix(start): array
            for name, array in self._arrays.items()
            if name.startswith(start)
        }

    def close(self) -> None:
        """Closes the descriptor; the memory goes when the last array on it does."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
