"""The time sheet: what a worker does with its time, as totals and, if traced, stretch by stretch.

Imported by executor processes: numpy only. All times are `time.perf_counter`'s, which on Linux is
one clock for all processes.
"""

import time
from typing import NamedTuple

import numpy as np

from hts_tf.collecting import shared_memory

NOTHING = -1  # the number of a stretch that has none

RING = 1 << 16  # stretches kept of each worker: 2 MB; football makes about 3 for each env step


class Stretch(NamedTuple):
    """Something that a worker did without a break.

    Attributes:
      activity: what, an index into the role's activities.
      number: of the environment, or how many observations; or `NOTHING`.
      begin: seconds, of `time.perf_counter`.
      end: seconds, of the same clock; infinite while it lasts.
    """

    activity: int
    number: int
    begin: float
    end: float


def ring_fields(num_workers: int, traced: bool) -> shared_memory.Fields:
    """Returns name -> (shape, dtype) of the rings of workers in other processes.

    stretch: [num_workers, ring, 4], fields of `Stretch`; the ring is empty if nothing is traced.
    stretches: [num_workers], how many were ever written.
    """
    return {
        "stretch": ((num_workers, RING if traced else 0, len(Stretch._fields)), "float64"),
        "stretches": ((num_workers,), "int64"),
    }


class TimeSheet:
    """One worker's; it alone writes to it.

    A ring in shared memory outlives the process that writes to it: another one goes on there.

    Attributes:
      seconds: [activities] float64, spent so far.
    """

    def __init__(self, seconds: np.ndarray, ring: np.ndarray, count: np.ndarray) -> None:
        """Goes on with what is there.

        Args:
          seconds: see the attribute.
          ring: [n, 4] float64, see `ring_fields`; with n = 0, only totals are kept.
          count: [1] int64, how many stretches were ever written.
        """
        self.seconds = seconds
        self._seconds = seconds.data
        self._ring = ring
        self._count = count
        self._traced = len(ring) > 0

    @classmethod
    def of_thread(cls, num_activities: int, traced: bool) -> "TimeSheet":
        """Returns a fresh one, for a worker in this process."""
        ring = np.zeros((RING if traced else 0, len(Stretch._fields)))
        return cls(np.zeros(num_activities), ring, np.zeros(1, np.int64))

    def begin(self, activity: int, begin: float) -> None:
        """Notes what the next stretch will be, in case that it lasts for long."""
        if self._traced:
            self._ring[int(self._count[0]) % len(self._ring)] = activity, NOTHING, begin, np.inf

    def add(self, activity: int, begin: float, number: int = NOTHING) -> None:
        """Notes a stretch that ends now; see `Stretch`."""
        end = time.perf_counter()
        self._seconds[activity] += end - begin
        if self._traced:
            count = int(self._count[0])
            self._ring[count % len(self._ring)] = activity, number, begin, end
            self._count[0] = count + 1  # last: a reader takes what is whole

    def count(self, activity: int, seconds: float) -> None:
        """Adds to a total that is no stretch of its own."""
        self._seconds[activity] += seconds

    def since(self, begin: float) -> list[Stretch]:
        """Returns the stretches that lasted then or later, as far as the ring holds them.

        The oldest is the first. The worker may go on meanwhile.
        """
        count = int(self._count[0])
        size = len(self._ring)
        kept = self._ring.copy()
        # What was written during the copy may be torn; the one after it may just be in writing.
        oldest = max(0, int(self._count[0]) + 1 - size)
        rows = [kept[i % size].tolist() for i in range(oldest, count)]
        if int(self._count[0]) == count and kept[count % size, -1] == np.inf:
            rows.append(kept[count % size].tolist())
        stretches = (Stretch(int(what), int(number), *span) for what, number, *span in rows)
        return [stretch for stretch in stretches if stretch.end > begin]
