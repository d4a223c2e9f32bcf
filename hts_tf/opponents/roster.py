"""The roster: who the opponents are, by number, and which of them episodes can meet."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hts_tf.opponents.results import SELF

ITSELF = "itself"  # the name of the current policy, whose number is `SELF`
SNAPSHOT = "update "  # before its number: the name of a snapshot


class Kept(NamedTuple):
    """Where the parameters of a frozen opponent are kept.

    Attributes:
      snapshot: whether it is a snapshot, or another run's policy.
      number: the update that made it, or its place in `Opponents.frozen`.
    """

    snapshot: bool
    number: int


class Roster:
    """Opponents by number: 0 is the current policy, then scripted, frozen, and snapshots by age.

    Attributes:
      met: numbers of those that can be met, beside the current policy.
      lasting: how many there are before the first snapshot.
    """

    def __init__(self, scripted: Sequence[str], frozen: Sequence[str], pool_size: int) -> None:
        """Begins without snapshots.

        Args:
          scripted: names.
          frozen: names.
          pool_size: snapshots that can be met.
        """
        self._names = [ITSELF, *_told_apart([*scripted, *frozen])]
        self._num_scripted = len(scripted)
        self._pool_size = pool_size
        self._taken: list[int] = []  # the updates of all snapshots, in their order
        self.lasting = len(self._names)
        self.met = list(range(1, self.lasting))

    @property
    def names(self) -> list[str]:
        """Those of all that there ever were, by number."""
        return [*self._names, *(f"{SNAPSHOT}{updates:,}" for updates in self._taken)]

    def has(self, updates: int) -> bool:
        """Returns whether there is a snapshot after so many updates."""
        return updates in self._taken

    def is_scripted(self, number: int) -> bool:
        """Returns whether an opponent is scripted: of place `number - 1` among these."""
        return SELF < number <= self._num_scripted

    def kept(self, number: int) -> Kept:
        """Returns where the parameters of an opponent are that is frozen or a snapshot."""
        if number < self.lasting:
            return Kept(False, number - 1 - self._num_scripted)
        return Kept(True, self._taken[number - self.lasting])

    def join(self, updates: int) -> None:
        """Takes the snapshot after so many updates in, which another one may have to leave for."""
        self.met.append(self.lasting + len(self._taken))
        self._taken.append(updates)
        snapshots = [number for number in self.met if number >= self.lasting]
        if len(snapshots) <= self._pool_size:
            return
        # The one whose neighbours in time are nearest to each other; the oldest stays, and so does
        # the newest.
        ages = [self._taken[number - self.lasting] for number in snapshots]
        gaps = [after - before for before, after in zip(ages, ages[2:], strict=False)]
        self.met.remove(snapshots[1 + int(np.argmin(gaps))] if gaps else snapshots[0])

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes."""
        return {
            "opponents/taken": np.array(self._taken, np.int64),
            "opponents/met": np.array(self.met, np.int64),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a saved state."""
        self._taken = state["opponents/taken"].tolist()
        self.met = state["opponents/met"].tolist()


def met_from(state: Mapping[str, np.ndarray]) -> list[int]:
    """Returns the updates of the snapshots that a run may meet which goes on from a saved state.

    Args:
      state: with `Pool.state`, and "ledger/met" of running episodes; empty before there is one.
    """
    if not state:
        return []
    taken = state["opponents/taken"]
    first = len(state["opponents/results"]) - len(taken)
    numbers = np.union1d(state["opponents/met"], state["ledger/met"])
    return taken[numbers[numbers >= first] - first].tolist()


def _told_apart(names: Sequence[str]) -> list[str]:
    """Returns names, with a number after those that have been there before."""
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name} ({n + 1})" if n else name for name, n in zip(names, before, strict=True)]
