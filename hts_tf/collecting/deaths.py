"""Deaths of executors: how many there were, and how many in a row in the same place."""

from typing import NamedTuple


class Spot(NamedTuple):
    """Where an executor died.

    Attributes:
      what: it was doing.
      slot: of the environment; -1 where it starts.
      length: env steps that the episode had come to.
      episode: its number.
    """

    what: int
    slot: int
    length: int
    episode: int


class Deaths:
    """Counts them.

    Attributes:
      total: of all executors.
    """

    def __init__(self, num_executors: int) -> None:
        """Begins without any."""
        self.total = 0
        self._spots: list[Spot | None] = [None] * num_executors
        self._in_a_row = [0] * num_executors

    def count(self, index: int, spot: Spot | None, has_history: bool) -> int:
        """Counts one; returns how many of this executor there were there in a row.

        An episode that is played again dies wherever it dies without getting any further; one of an
        environment with history is cut short, and the next one may die where it has.

        Args:
          index: of the executor.
          spot: where it died; None is none that can be died in again.
          has_history: whether its environments are known not to be free of history.
        """
        self.total += 1
        before, self._spots[index] = self._spots[index], spot
        again = {before}
        if before is not None and has_history:
            again.add(before._replace(episode=before.episode + 1))
        same = spot is not None and spot in again
        self._in_a_row[index] = 1 + (self._in_a_row[index] if same else 0)
        return self._in_a_row[index]
