import time

import numpy as np
import pytest

from hts_tf.collecting import timesheet
from hts_tf.collecting.timesheet import Stretch, TimeSheet


@pytest.mark.parametrize("traced", [False, True])
def test_counts_seconds(traced):
    times = TimeSheet.of_thread(3, traced)
    now = time.perf_counter()
    times.add(1, now - 2.0)
    times.add(1, now - 1.0, number=7)
    times.add(2, now)
    assert times.seconds[0] == 0.0
    assert 3.0 <= times.seconds[1] < 60.0
    assert 0.0 <= times.seconds[2] < 60.0


def test_keeps_stretches_in_order():
    times = TimeSheet.of_thread(3, traced=True)
    times.add(1, time.perf_counter() - 5.0)
    start = time.perf_counter()
    times.add(2, start, number=7)
    times.add(0, time.perf_counter())
    first, second = times.since(start)
    assert (first.activity, first.number, first.begin) == (2, 7, start)
    assert (second.activity, second.number) == (0, timesheet.NOTHING)
    assert start <= first.end <= second.begin <= second.end <= time.perf_counter()
    assert len(times.since(start - 10.0)) == 3


def test_an_untraced_sheet_has_no_ring():
    fields = timesheet.ring_fields(4, traced=False)
    assert fields["stretch"][0] == (4, 0, 4)
    assert timesheet.ring_fields(4, traced=True)["stretch"][0][1] > 10_000


def ring(size):
    return np.zeros(2), np.zeros((size, 4)), np.zeros(1, np.int64)


def test_a_full_ring_forgets_the_oldest():
    times = TimeSheet(*ring(5))
    for number in range(12):
        times.add(0, time.perf_counter(), number)
        kept = [stretch.number for stretch in times.since(0.0)]
        # One less than there is room for: the next one may be in writing.
        assert kept == list(range(max(0, number + 1 - 4), number + 1))


def test_another_process_goes_on_where_the_last_one_ended():
    memory = ring(8)
    for number in range(3):
        TimeSheet(*memory).add(1, time.perf_counter(), number)
    assert [s.number for s in TimeSheet(*memory).since(0.0)] == [0, 1, 2]


def test_what_lasts_has_no_end_yet():
    times = TimeSheet(*ring(3))
    for _ in range(5):
        begin = time.perf_counter()
        times.begin(1, begin)
        assert times.since(begin) == [Stretch(1, timesheet.NOTHING, begin, np.inf)]
        times.add(0, begin)
        (over,) = times.since(begin)
        assert over.activity == 0
        assert over.end < np.inf
