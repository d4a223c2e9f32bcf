import time

import pytest

from hts_tf.collecting.policy import Batching
from hts_tf.system import start
from hts_tf.watching.reporter import Reporter


def make(directory):
    return Reporter(directory, Batching.ANY_SIZE, "", 100)


def minutes(reporter):
    return float(reporter.state()["run/minutes"])


@pytest.mark.parametrize(("launches", "expected"), [(1, 10), (2, 11)])
def test_minutes_of_a_run_that_goes_on(tmp_path, monkeypatch, launches, expected):
    """In another process, or, after a machine was lost, in the same one."""
    monkeypatch.setattr(start, "LAUNCHED", time.monotonic() - 600)
    state = make(tmp_path).state()
    if launches == 2:
        monkeypatch.setattr(start, "LAUNCHED", time.monotonic() - 60)
    again = make(tmp_path)
    again.restore(state)
    assert minutes(again) == pytest.approx(expected, abs=0.1)
    # And once more.
    third = make(tmp_path)
    third.restore(again.state())
    assert minutes(third) == pytest.approx(expected, abs=0.1)
