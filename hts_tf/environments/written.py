"""Whether an array that an environment is to write has been written, and with what it may hold.

Imported by executor processes: numpy only.
"""

import math

import numpy as np

from hts_tf import specs
from hts_tf.environments.step_results import LARGEST

_BYTES_THAT_TELL = 8  # so many bytes are not by chance what was there before
_NOT_A_BOOL = 2


class _Floats:
    """Finds out whether an array was written, and with numbers: before, it is filled with NaN."""

    def mark(self, array: np.ndarray, parity: int) -> None:
        """Fills an array, before it is written; parity is of the env step."""
        array.fill(np.nan)

    def fault(self, array: np.ndarray) -> str:
        """Returns what is wrong with an array that should have been written; "" for nothing."""
        if specs.all_finite(array):
            return ""
        which = "nan (or was not written)" if np.isnan(array).any() else "inf"
        return f"holds {which}"


class _Doubles(_Floats):
    """The same for float64, of which networks make float32."""

    def fault(self, array: np.ndarray) -> str:
        """See `_Floats`."""
        if np.vdot(array, array) <= LARGEST:  # the usual case, in a third of the time
            return ""
        fault = super().fault(array)
        if fault or np.abs(array).max() <= LARGEST:
            return fault
        return f"holds {np.abs(array).max():g}, which is not finite as float32"


class _Bools:
    """The same for bools: before, the array is filled with bytes that are none."""

    def mark(self, array: np.ndarray, parity: int) -> None:
        """See `_Floats`."""
        array.view(np.uint8).fill(_NOT_A_BOOL)

    def fault(self, array: np.ndarray) -> str:
        """See `_Floats`."""
        return "was not written" if array.tobytes().strip(b"\0\1") else ""


class _Integers:
    """The same for whole numbers, of which none is impossible.

    Before, the array is filled with noise, other noise in every second env step. It counts as not
    written if all of it is left, so many bytes in a row that it is not by chance.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        noise = np.random.default_rng(0).bytes(2 * math.prod(shape) * np.dtype(dtype).itemsize)
        self._noise = np.frombuffer(noise, dtype).reshape(2, *shape)
        self._left_bytes = 0

    def mark(self, array: np.ndarray, parity: int) -> None:
        """See `_Floats`."""
        self._mark = self._noise[parity]
        array[...] = self._mark

    def fault(self, array: np.ndarray) -> str:
        """See `_Floats`."""
        if array.item(0) != self._mark.item(0) or (array != self._mark).any():
            self._left_bytes = 0
            return ""
        self._left_bytes += array.nbytes
        return "was not written" if self._left_bytes >= _BYTES_THAT_TELL else ""


class _Choices(_Integers):
    """The same for numbers that each say which of several values it is, counted from 0."""

    def __init__(self, shape: tuple[int, ...], dtype: str, num_values: np.ndarray) -> None:
        super().__init__(shape, dtype)
        self._num_values = num_values
        self._of_one = num_values.item() if not shape else None

    def fault(self, array: np.ndarray) -> str:
        """See `_Floats`."""
        fault = super().fault(array)
        if fault or self._are_choices(array):
            return fault
        return (
            f"holds {array.tolist()!s:.80} (or was not written), where there are "
            f"{self._num_values.tolist()!s:.80} values, from 0 on"
        )

    def _are_choices(self, array: np.ndarray) -> bool:
        if self._of_one is not None:  # the usual case, in a tenth of the time
            return 0 <= array.item() < self._of_one
        return bool(((array >= 0) & (array < self._num_values)).all())


def watch(spec: specs.ArraySpec, players: tuple[int, ...]) -> _Floats | _Bools | _Integers:
    """Returns what watches over an array of a spec, of players as `EnvironmentSpec.players`."""
    dtype = np.dtype(spec.dtype)
    if isinstance(spec, specs.DiscreteSpec | specs.MultiDiscreteSpec):
        num_values = specs.values_of(spec)
        return _Choices((*players, *spec.shape), spec.dtype, num_values)
    if dtype.kind == "f":
        return _Doubles() if dtype.itemsize > 4 else _Floats()
    return _Bools() if dtype.kind == "b" else _Integers((*players, *spec.shape), spec.dtype)
