"""Finds the processes that a command has started."""

import contextlib
from pathlib import Path

from hts_tf.benchmarks import kernel
from hts_tf.system import processes


def training_processes(command):
    """Returns trainer and executors of a command's training, once there are executors."""
    for pid, (_, parent, *_) in processes.all_fields():
        if int(parent) == command and (found := kernel.executors_of(pid)):
            return [pid, *found]
    return []


def in_session(leader):
    """Returns the processes of a session that live."""
    return [
        pid
        for pid, (state, _, _, session, *_) in processes.all_fields()
        if int(session) == leader and state != "Z"
    ]


def is_alive(pid):
    try:
        return processes.fields(pid)[0] != "Z"
    except OSError:
        return False


def with_words(*words):
    """Returns the processes whose command lines have these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if {word.encode() for word in words} <= {*path.read_bytes().split(b"\0")}:
                found.append(int(path.parent.name))
    return found
