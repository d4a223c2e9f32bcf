import os
import subprocess
import sys

import pytest

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
