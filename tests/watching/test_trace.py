import json

import pytest

from hts_tf import errors
from hts_tf.watching import trace
from hts_tf.watching.trace import Event, Trace

SMALL = Trace(
    workers={
        "executor 0": [Event("step", 0.0, 0.25, 3), Event("wait_sync", 0.25, 1.0)],
        "executor 1": [],
        "actor 0": [Event("inference", 0.125, 0.25, 16), Event("wait_state", 0.5, 0.75)],
        "learner": [Event("update", 0.0, 0.5), Event("wait_rollout", 0.5, 1.0)],
    },
    sync_points=[0.0, 1.0],
    end=1.0,
)


def test_what_was_written_is_read(tmp_path):
    trace.write(SMALL, tmp_path / "trace.json")
    assert trace.read(tmp_path / "trace.json") == SMALL


def test_is_a_chrome_trace(tmp_path):
    """The fields that Perfetto and Chrome ask for, by their Trace Event Format."""
    trace.write(SMALL, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    by_phase = {phase: [e for e in events if e["ph"] == phase] for phase in "MXi"}
    assert sum(map(len, by_phase.values())) == len(events)
    for event in by_phase["X"]:
        assert {"name", "ts", "dur", "pid", "tid", "args"} <= event.keys()
    step = by_phase["X"][0]
    assert (step["name"], step["ts"], step["dur"]) == ("step", 0.0, 250_000.0)
    assert step["args"] == {"environment": 3}
    assert [e["ts"] for e in by_phase["i"]] == [0.0, 1e6]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(names.values()) == list(SMALL.workers)
    processes = {pid for pid, _ in names}
    assert len(processes) == 3  # two executors, and the trainer with its threads


@pytest.mark.parametrize("text", [None, "", "[1]", '{"traceEvents": [{}]}'])
def test_refuses_what_is_no_trace(tmp_path, text):
    path = tmp_path / "trace.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.ConfigError, match=r"--trace=.*trace\.json"):
        trace.read(path)
