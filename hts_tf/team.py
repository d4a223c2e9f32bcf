"""The team: the machines that make a run together, as one of them sees it."""

from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from hts_tf import errors

Item = TypeVar("Item")


class MachineLostError(errors.RunError):
    """A machine does not answer any more; the message says which.

    Attributes:
      progress: whether there was a sync point before, since the team was assembled.
    """

    progress = False


class Team(Protocol):
    """The machines, numbered from 0; the first one keeps the run.

    All of them call the same methods in the same order. Whoever waits for one that is lost gets a
    `MachineLostError`. `all_gather_array`, `keep` and `kept` are for where there are several.

    Attributes:
      number: of this machine.
      size: how many there are.
      lost: the error, once a machine is lost.
      waited_sec: seconds that went into telling each other, with waiting for the others.
    """

    number: int
    size: int
    lost: MachineLostError | None
    waited_sec: float

    def all_gather(self, item: Item) -> list[Item]:
        """Returns what each machine has called this with, in their order."""

    def all_gather_array(self, array: np.ndarray, channel: int) -> np.ndarray:
        """Returns all machines' arrays [n, ...], one after the other; n may differ.

        Only calls with the same channel, 0 or more, have to come in the same order everywhere.
        """

    def keep(self, item: Any) -> None:
        """Has the first machine hold on to what all bring, and returns before it does."""

    def kept(self, wait: bool) -> list[Any] | None:
        """Returns what all have brought last, in their order; to the first machine only.

        Args:
          wait: for what they have just been told to `keep`; else what has come so far, if anything.
        """


class Alone:
    """One machine, which has nobody to tell: all that is asked of a `Team` of one."""

    number = 0
    size = 1
    lost = None
    waited_sec = 0.0

    def all_gather(self, item: Item) -> list[Item]:
        """See `Team`."""
        return [item]


def broadcast(team: Team, item: Item) -> Item:
    """Returns what the first machine has called this with."""
    return team.all_gather(item if team.number == 0 else None)[0]


class Share(NamedTuple):
    """A machine's part of a run.

    Attributes:
      shards: numbers of those that are computed there.
      envs: numbers of those that are stepped there.
    """

    shards: range
    envs: range


def share(team: Team, num_shards: int, num_envs: int) -> Share:
    """Returns this machine's part: as many shards as others have, give or take one.

    Args:
      team: of no more machines than there are shards.
      num_shards: of the run.
      num_envs: of the run, as many in each shard.
    """
    first, end = (n * num_shards // team.size for n in (team.number, team.number + 1))
    width = num_envs // num_shards
    return Share(range(first, end), range(first * width, end * width))
