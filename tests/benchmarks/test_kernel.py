"""What is asked of the kernel about other processes."""

import contextlib
import os
import subprocess
import sys

from hts_tf.benchmarks import kernel
from hts_tf.collecting.executor_pool import EXECUTOR

# As an executor: its name, and, for as long as it lives, a child that is as yet a copy of it.
# (One write each, so that their lines do not mix.)
PROGRAM = "import os, sys; os.fork(); os.write(1, b'%d\\n' % os.getpid()); sys.stdin.read()"


def test_copies_of_executors_are_none():
    command = [sys.executable, "-c", PROGRAM, EXECUTOR, "12345", ""]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with contextlib.ExitStack() as stack:
        leader = stack.enter_context(subprocess.Popen(command, start_new_session=True, **pipes))
        stack.callback(os.killpg, leader.pid, 9)
        assert {int(leader.stdout.readline()) for _ in range(2)} > {leader.pid}
        assert kernel.executors_of(12345) == [leader.pid]
    assert kernel.executors_of(12345) == []
