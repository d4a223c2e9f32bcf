"""Masks: which values of a discrete action, or of each number of several, are permitted."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from hts_tf import specs


def are_observed(space: spaces.Space) -> bool:
    """Returns whether an entry of what is observed is a mask."""
    return isinstance(space, spaces.Dict) and specs.ACTION_MASK in space.spaces


def without(space: spaces.Dict) -> spaces.Dict:
    """Returns what is observed but for the mask."""
    return spaces.Dict({key: part for key, part in space.items() if key != specs.ACTION_MASK})


class Mask:
    """Writes an environment's masks as bools, those of several numbers one after another.

    An environment gives an array of as many numbers, 0 for what is not permitted; or, for several
    numbers, a tuple with an array for each, nested where their array is; or, if all have the same
    number of values, an array with a further axis.
    """

    def __init__(self, sizes: Sequence[int], shape: tuple[int, ...]) -> None:
        """Prepares for masks of an action.

        Args:
          sizes: how many values each number has.
          shape: of the action.
        """
        total = sum(sizes)
        self.spec = specs.ArraySpec((total,), "bool")
        self._sizes = tuple(sizes)
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._shapes = {(total,), (*shape, sizes[0]) if len(set(sizes)) == 1 else (total,)}

    def write(self, mask: Any, array: np.ndarray, over: bool) -> None:
        """Writes a mask.

        Args:
          mask: as the environment gives it; None if it gave none.
          array: where to, bools of the spec.
          over: the episode is. No action follows, so a mask that is missing or permits nothing
            counts as one that permits everything.

        Raises:
          ValueError: it is missing, permits nothing, or has another shape.
        """
        if mask is None:
            if not over:
                raise ValueError("is missing")
            array.fill(True)
            return
        np.not_equal(self._flat(mask), 0, out=array)
        if not np.logical_or.reduceat(array, self._starts).all():
            if not over:
                raise ValueError("permits nothing")
            array.fill(True)

    def _flat(self, mask: Any) -> np.ndarray:
        if isinstance(mask, (tuple, list)):
            parts = list(_arrays(mask))
            if tuple(map(len, parts)) == self._sizes:
                return np.concatenate(parts)
            shape = tuple(map(len, parts))
        else:
            mask = np.asarray(mask)
            if mask.shape in self._shapes and mask.dtype.kind in "biuf":
                return mask.reshape(-1)
            shape = mask.shape
        raise ValueError(f"has the shape {shape}, not {self._sizes}")


def _arrays(mask: Any) -> Iterator[np.ndarray]:
    """Yields the vectors that a mask is nested of."""
    is_nested = isinstance(mask, (tuple, list))
    if is_nested and any(isinstance(part, (tuple, list)) or np.ndim(part) for part in mask):
        for part in mask:
            yield from _arrays(part)
    else:
        yield np.asarray(mask).reshape(-1)
