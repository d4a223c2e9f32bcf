import sys
from types import SimpleNamespace

import pytest

from hts_tf import watching
from hts_tf.collecting import executor
from hts_tf.collecting.timesheet import RING, Stretch
from hts_tf.schedules.schedule import Round, Span
from hts_tf.watching.tracer import Tracer

STEP = executor.TIMES.index("step")


def traced(tmp_path, num_stretches, begin=2.5):
    """Records the third of four rounds, of one executor."""
    stretches = [Stretch(STEP, 0, begin + n * 1e-6, begin + n * 1e-6) for n in range(num_stretches)]
    workers = SimpleNamespace(stretches=lambda begin: {"executor": [stretches], "actor": [[]]})
    tracer = Tracer(tmp_path, workers, num_rounds=1, has_sync_points=True)
    for n in range(4):
        tracer.round_over(Round(None, None, None, Span(n, n + 0.5), Span(n + 0.5, n + 1.0)))


@pytest.mark.parametrize("num_stretches", [10, RING - 9, RING - 1])
def test_a_beginning_that_is_kept_no_more_is_told_of(tmp_path, capfd, num_stretches, monkeypatch):
    monkeypatch.delattr(watching, "timeline", raising=False)
    monkeypatch.setitem(sys.modules, "hts_tf.watching.timeline", None)  # as without matplotlib
    traced(tmp_path, num_stretches)
    errors = capfd.readouterr().err
    assert ("the beginning of the trace is missing" in errors) == (num_stretches > 10)
    assert f"{tmp_path / 'trace.json'} is written, its picture is not" in errors
    assert (tmp_path / "trace.json").exists()
    assert not (tmp_path / "trace.png").exists()


def test_many_stretches_of_which_none_is_missing(tmp_path, capfd, monkeypatch):
    monkeypatch.delattr(watching, "timeline", raising=False)
    monkeypatch.setitem(sys.modules, "hts_tf.watching.timeline", None)
    traced(tmp_path, RING - 9, begin=1.9)  # before what is traced
    assert "the beginning of the trace is missing" not in capfd.readouterr().err


def test_a_trace_and_its_picture(tmp_path, capfd):
    traced(tmp_path, 10)
    assert (tmp_path / "trace.png").exists()
    said = capfd.readouterr()
    assert "1 intervals traced" in said.out
    assert not said.err
