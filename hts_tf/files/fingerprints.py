"""Fingerprints: a few bytes by which two runs can be compared, update by update.

A row of hashes says whether an update, and which array of it, had the same bits in both runs;
checksums of the cells [t, column] of the storage's arrays say where in an array they differ.
"""

import functools
import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hts_tf import rollouts

# Of an update's own; the other arrays are the leaves of its storage.
AFTER_THE_UPDATE = ("parameters", "optimizer")

# Within a step, what the actors compute leads to the action, and that to all else.
_FIRST_IN_A_STEP = ("observation", "policy", "value", "action")
_CAUSES_FIRST = (*_FIRST_IN_A_STEP, *rollouts.Rollout._fields)


def causes_first(names: Iterable[str]) -> list[str]:
    """Returns the names of a storage's arrays, causes before their consequences."""
    return sorted(names, key=lambda name: _CAUSES_FIRST.index(rollouts.field_of(name)))


class Fingerprint(NamedTuple):
    """Of one update.

    Attributes:
      hashes: 16 hexadecimal digits for each array of the storage, in the order of
        `rollouts.leaves`, and for `AFTER_THE_UPDATE`.
      cells: [arrays, T + 1, B] uint16, a checksum of each cell [t, column] of each array of the
        storage, causes first; zero in row T of arrays that have none.
    """

    hashes: dict[str, str]
    cells: np.ndarray


def fingerprint(parts: Sequence[Fingerprint], parameters: str, optimizer: str) -> Fingerprint:
    """Puts together the fingerprint of an update.

    Args:
      parts: of the storage that the update consumed: `of_storage` of each of its shards.
      parameters: `digest` of the target agent's, after the update.
      optimizer: and of the optimizer's state.
    """
    first = parts[0].hashes
    hashes = {name: _joined([part.hashes[name] for part in parts]) for name in first}
    return Fingerprint(
        {**hashes, "parameters": parameters, "optimizer": optimizer},
        np.concatenate([part.cells for part in parts], axis=2),
    )


def _joined(hashes: Sequence[str]) -> str:
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


def of_storage(rollout: rollouts.Rollout) -> Fingerprint:
    """Takes that of a storage, or of a shard of it, as numpy arrays [T, N, P, ...]."""
    # Where no episode was truncated, the memory of truncation_value holds whatever it held.
    truncation_value = np.where(rollout.truncated, rollout.truncation_value, np.float32(0))
    storage = rollouts.leaves(rollouts.columns(rollout._replace(truncation_value=truncation_value)))
    hashes = {name: digest([array]) for name, array in storage.items()}
    cells = np.zeros((len(storage), *storage["value"].shape), np.uint16)
    for i, name in enumerate(causes_first(storage)):
        cells[i, : len(storage[name])] = cell_checksums(storage[name])
    return Fingerprint(hashes, cells)


def cell_checksums(array: np.ndarray) -> np.ndarray:
    """Returns a checksum of each cell: [T, B, ...] of any type -> [T, B] uint16.

    It is the upper half of a sum, modulo 2**32, of the cell's words times odd random numbers: two
    cells that differ have the same one with a probability of about 2**-16.
    """
    cells = np.ascontiguousarray(array).reshape(*array.shape[:2], -1).view(np.uint8)
    words = cells.view(f"u{math.gcd(cells.shape[-1], 4)}")
    weights = _weights(words.shape[-1])
    sums = np.einsum("tbk,k->tb", words, weights, dtype=np.uint32, casting="unsafe")
    return (sums >> 16).astype(np.uint16)


@functools.cache
def _weights(count: int) -> np.ndarray:
    """Returns odd numbers [count] uint32, the same in every version of numpy."""
    raw = np.random.Philox(key=0).random_raw(count)
    return (raw >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Returns the hash of arrays' bytes, 16 hexadecimal digits."""
    # With the instructions that processors have for it, SHA-256 is the fastest of hashlib.
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return digest.hexdigest()[:16]
