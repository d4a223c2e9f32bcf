"""The exchange: where the machines of a run meet, and tell each other what they have."""

import asyncio
import collections
import contextlib
import pickle
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import ray

from hts_tf import errors
from hts_tf.team import MachineLostError

Item = TypeVar("Item")

# What is larger lies in Ray's object stores, and only its name goes through the exchange.
_INLINE_BYTES = 64 << 10

_LATE_SEC = 10.0  # to ask who is late
_KEPT_MEETINGS = 2  # who comes last may still be reading

# The channels of what is no part of an update.
_BETWEEN_UPDATES, _KEEPING = -1, -2


class Meeting(NamedTuple):
    """One of the meetings that all machines come to.

    Attributes:
      channel: meetings of different channels may come in another order on each machine.
      count: of this channel's, so far.
    """

    channel: int
    count: int


class Exchange:
    """Waits, at each meeting, until all machines have come; an actor of Ray's."""

    def __init__(self, size: int) -> None:
        """Expects so many machines."""
        self._size = size
        self._meetings: dict[Meeting, tuple[list[Any], asyncio.Event]] = {}
        self._lost = ""

    async def meet(self, meeting: Meeting, number: int, brought: Any) -> list[Any]:
        """Returns what all machines have brought to a meeting, in their order.

        Args:
          meeting: which.
          number: of the machine.
          brought: bytes, or a list with a reference to an object.

        Raises:
          RuntimeError: one will not come any more.
        """
        everything, complete = self._meeting(meeting)
        everything[number] = brought
        if not _missing(everything):
            complete.set()
            self._meetings.pop(meeting._replace(count=meeting.count - _KEPT_MEETINGS), None)
        await complete.wait()
        if self._lost:
            raise RuntimeError(self._lost)
        return everything

    async def missing(self, meeting: Meeting) -> list[int]:
        """Returns the machines that have not come to a meeting."""
        return _missing(self._meeting(meeting)[0])

    async def abort(self, why: str) -> None:
        """Tells all who wait, and all who come, that one is lost."""
        self._lost = why
        for _, complete in self._meetings.values():
            complete.set()

    def _meeting(self, meeting: Meeting) -> tuple[list[Any], asyncio.Event]:
        if meeting not in self._meetings:
            self._meetings[meeting] = [None] * self._size, asyncio.Event()
            if self._lost:
                self._meetings[meeting][1].set()
        return self._meetings[meeting]


def _missing(everything: list[Any]) -> list[int]:
    return [number for number, brought in enumerate(everything) if brought is None]


class RayTeam:
    """A team, see `team.Team`, of machines that meet at an exchange."""

    def __init__(
        self, exchange: Any, number: int, size: int, timeout_sec: float | None = None
    ) -> None:
        """Only remembers its arguments.

        Args:
          exchange: handle of the actor.
          number: of this machine.
          size: how many there are.
          timeout_sec: after which those that have not come are lost; None leaves that to others.
        """
        self.number = number
        self.size = size
        self.lost: MachineLostError | None = None
        self.waited_sec = 0.0
        self._exchange = exchange
        self._timeout_sec = timeout_sec
        self._meetings: collections.Counter[int] = collections.Counter()
        self._keeper = ThreadPoolExecutor(max_workers=1)
        self._keeping: Future[None] | None = None
        self._kept: list[bytes] | None = None
        self._sent: list[ray.ObjectRef] = []

    def all_gather(self, item: Item) -> list[Item]:
        """See `Team`."""
        found = self._meet(_BETWEEN_UPDATES, pickle.dumps(item))
        return [item if n == self.number else pickle.loads(x) for n, x in enumerate(found)]

    def all_gather_array(self, array: np.ndarray, channel: int) -> np.ndarray:
        """See `Team`."""
        found = self._meet(channel, array)
        return np.concatenate(found)

    def keep(self, item: Any) -> None:
        """See `Team`."""
        data = pickle.dumps(item)  # now: it will be something else soon
        if self.number == 0:
            if self._keeping:  # one round's must not pile up behind another's
                self._keeping.result()
            self._keeping = self._keeper.submit(self._take, data)
        else:
            self._sent = [*self._sent[-1:], ray.put(data)]  # until the first machine has it
            self._exchange.meet.remote(self._meeting(_KEEPING), self.number, self._sent[-1:])

    def kept(self, wait: bool) -> list[Any] | None:
        """See `Team`."""
        if wait:
            self._keeping.result()
        return self._kept and [pickle.loads(data) for data in self._kept]

    def _take(self, data: bytes) -> None:
        _, *others = self._meet(_KEEPING, b"")  # this machine's own stays here
        self._kept = [data, *others]

    def _meeting(self, channel: int) -> Meeting:
        meeting = Meeting(channel, self._meetings[channel])
        self._meetings[channel] += 1
        return meeting

    def _meet(self, channel: int, item: bytes | np.ndarray) -> list[Any]:
        if self.lost:
            raise self.lost
        start = time.perf_counter()
        meeting = self._meeting(int(channel))  # TensorFlow brings a scalar array
        size = len(item) if isinstance(item, bytes) else item.nbytes
        elsewhere: dict[int, ray.ObjectRef] = {}
        try:
            brought = item if size <= _INLINE_BYTES else [ray.put(item)]
            asked = self._exchange.meet.remote(meeting, self.number, brought)
            found = ray.get(asked, timeout=self._timeout_sec)
            elsewhere = {n: x[0] for n, x in enumerate(found) if isinstance(x, list)}
            elsewhere.pop(self.number, None)
            read = ray.get([*elsewhere.values()], timeout=self._timeout_sec)
        except ray.exceptions.GetTimeoutError as error:
            late = self._late(meeting, elsewhere)
            why = f"{late} has not answered for {self._timeout_sec:g} s (--machine_timeout_sec)"
            raise self._lose(why) from error
        except ray.exceptions.RayError as error:
            raise self._lose(errors.in_a_line(getattr(error, "cause", error))) from error
        for n, x in zip(elsewhere, read, strict=True):
            found[n] = x
        found[self.number] = item
        if channel != _KEEPING:  # for which nobody waits
            self.waited_sec += time.perf_counter() - start
        return found

    def _late(self, meeting: Meeting, elsewhere: dict[int, ray.ObjectRef]) -> str:
        """Returns who has not come to a meeting or has, but does not hand over what it has there.

        The latter is one that has stopped between the two: Ray asks it for its objects.
        """
        late = []
        with contextlib.suppress(ray.exceptions.RayError):
            late = ray.get(self._exchange.missing.remote(meeting), timeout=_LATE_SEC)
            late = late or [n for n, x in elsewhere.items() if not ray.wait([x], timeout=0)[0]]
        return f"machine {', '.join(map(str, late))}" if late else "another machine"

    def _lose(self, why: str) -> MachineLostError:
        self.lost = self.lost or MachineLostError(why)
        return self.lost
