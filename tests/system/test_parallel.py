import functools
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hts_tf import errors
from hts_tf.system import parallel
from tests import waiting

ROOT = Path(__file__).parent.parent.parent


def square(number):
    return number * number


def slow_first(begun, number):
    """Waits with the first until another one has been done."""
    if number == 0:
        waiting.until(begun.exists)
    begun.touch()
    return os.getpid(), number


def fail(error, number):
    if number == 2:
        raise error
    return number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def given(function, *args):
    """What `each` takes: called in a process, it returns the function."""
    return functools.partial(functools.partial, function, *args)


@pytest.mark.parametrize("processes", [1, 2, 9])
def test_all_are_done_in_their_order(processes):
    found = parallel.each(given(square), range(5), processes)
    assert list(found) == [0, 1, 4, 9, 16]


def test_nothing_to_do():
    assert list(parallel.each(given(square), [], 2)) == []


def test_processes_work_at_the_same_time(tmp_path):
    found = list(parallel.each(given(slow_first, tmp_path / "begun"), range(4), 2))
    assert [number for _, number in found] == [0, 1, 2, 3]
    pids = {pid for pid, _ in found}
    assert len(pids) == 2
    assert os.getpid() not in pids


@pytest.mark.parametrize("error", [errors.ConfigError("no such"), errors.RunError("broken")])
def test_errors_come_back(error):
    with pytest.raises(type(error), match=str(error)):
        list(parallel.each(given(fail, error), range(4), 1))


def test_a_process_that_dies_is_told():
    with pytest.raises(errors.RunError, match="was killed by SIGKILL"):
        list(parallel.each(given(die), range(4), 2))


def test_one_that_dies_before_it_was_given_anything(monkeypatch):
    """What it is given is more than fits into a pipe."""
    start = multiprocessing.context.SpawnProcess.start

    def start_and_kill(process):
        start(process)
        os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", start_and_kill)
    with pytest.raises(errors.RunError, match="was killed by SIGKILL"):
        list(parallel.each(given(fail, bytes(10_000_000)), range(4), 2))


def test_ctrl_c_while_they_start_is_heard(monkeypatch):
    start = multiprocessing.context.SpawnProcess.start

    def start_and_interrupt(process):
        start(process)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", start_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(parallel.each(given(fail), range(4), 2))


COMMAND = """
import functools, os, sys, time
from hts_tf.system import parallel

def report(number):
    print(os.getpid(), flush=True)
    time.sleep(3600)

if __name__ == "__main__":
    list(parallel.each(functools.partial(functools.partial, report), range(2), 2))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_they_end_with_whoever_started_them(tmp_path, number):
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as process:
        for _ in range(2):
            assert process.stdout.readline()
        os.kill(process.pid, number)
        # It ends when nobody has the pipe any more: neither it nor they.
        assert process.stdout.read() == ""
