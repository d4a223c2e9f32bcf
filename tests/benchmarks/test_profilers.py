import pytest

from hts_tf import errors
from hts_tf.benchmarks import profilers
from hts_tf.system.child import ChildError

STACKS = """\
thread (1): MainThread;run (a.py:1);step (a.py:2) 3
thread (1): MainThread;run (a.py:1) 1
thread (2): actor 0;run (b.py:1);act (b.py:2) 4
thread (3): actor 12;run (b.py:1);run (b.py:1) 4
process 5
"""


def test_top_functions():
    assert profilers.top_functions(STACKS, "MainThread") == [
        "  75.0%   75.0%  step (a.py:2)",
        "  25.0%  100.0%  run (a.py:1)",
    ]
    assert profilers.top_functions(STACKS, r"actor \d+") == [
        "  50.0%  100.0%  run (b.py:1)",
        "  50.0%   50.0%  act (b.py:2)",
    ]
    assert profilers.top_functions("", "MainThread") == []


def test_why_one_fails(tmp_path):
    program = tmp_path / "perf"
    said = "Error:\n\nAccess is limited.\nAdjust x.\nMore."
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    program.chmod(0o755)
    with pytest.raises(ChildError, match=r"^perf failed: Access is limited\. Adjust x\.$"):
        profilers._call([str(program)])


def test_no_profiler(monkeypatch, tmp_path):
    monkeypatch.setattr(profilers.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    for wanted in (None, "perf"):
        with pytest.raises(errors.ConfigError, match="pip install py-spy"):
            profilers.find(wanted)
    program = tmp_path / "perf"
    program.touch(mode=0o755)
    assert profilers.find(None) == ("perf", str(program))
