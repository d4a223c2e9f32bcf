import os
import resource
import subprocess
import sys

import pytest

from hts_tf import errors
from hts_tf.system import processes

# The kernel keeps 15 bytes of a name, which may end within a character.
NAMED = r"""
import ctypes
ctypes.CDLL(None).prctl(15, b"a) (b \xd0\xbf\xd1", 0, 0, 0)
print("named", flush=True)
input()
"""


def test_a_process_whose_name_is_no_text():
    with subprocess.Popen(
        [sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"named\n"
        state, parent, *_ = processes.fields(process.pid)
        assert state in "SRD"
        assert int(parent) == os.getpid()
        assert dict(processes.all_fields())[process.pid][1] == parent
        process.communicate(b"\n")
    with pytest.raises(FileNotFoundError):
        processes.fields(process.pid)


@pytest.mark.parametrize(
    ("allowed", "number", "then"),
    [((1024, 4096), 1024, None), ((1024, 4096), 2000, (2000, 4096)), ((-1, -1), 10**6, None)],
)
def test_as_many_open_files_as_are_needed(monkeypatch, allowed, number, then):
    changes = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: allowed)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: changes.append(limits))
    processes.allow_open_files(number, "lower it")
    assert changes == ([then] if then else [])


def test_more_open_files_than_the_system_permits(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with pytest.raises(errors.ConfigError, match="but only 4,096 permitted: lower it"):
        processes.allow_open_files(5000, "lower it")
