import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hts_tf.system.child import Child, ChildError
from tests import command_line, processes, waiting

MODULE = """
import signal, sys, time

def stop(number, frame):
    print("stopped", flush=True)
    sys.exit(int(sys.argv[1]))

signal.signal(signal.SIGTERM, stop)
print("error: no luck" if sys.argv[2:] == ["end"] else "asleep", flush=True)
if sys.argv[2:] == ["end"]:
    sys.exit(int(sys.argv[1]))
time.sleep(1000)
"""


REMOVING = """
import os, signal, sys, time
from pathlib import Path
from hts_tf.system import child

child.remove_after_this_process(sys.argv[1])
own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
assert not own  # Ray kills a worker's children with it
if copy := os.fork():
    print(copy, flush=True)
    if sys.argv[2] != "0":
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
else:
    os.close(1)
    time.sleep(1000)
"""


LEADING = """
import os, signal, subprocess, sys
from hts_tf.system import child

child.end_session_with_this_process()
name = b"b) S 1 1 (\\n \\xd0"
named = f"import ctypes, time; ctypes.CDLL(None).prctl(15, {name!r}); print(flush=True)"
program = [sys.executable, "-c", named + "; time.sleep(1000)"]
for own_group in (None, 0):
    started = subprocess.Popen(program, process_group=own_group, stdout=subprocess.PIPE)
    started.stdout.readline()
    print(started.pid)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


FORKING = """
import os, sys
from hts_tf.system import child

child.remove_after_this_process(sys.argv[1])
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
files = [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
if os.fork():
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
for file in files:
    os.fstat(file)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "module_of_test_child.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return "module_of_test_child"


def test_nothing_is_left(module):
    with Child(module, ["0"]) as child:
        assert child.hear() == "asleep"
        child.check()
        assert not child.has_ended()
    assert is_gone(child.pid)


def test_nothing_is_left_after_a_failure(module):
    with pytest.raises(ZeroDivisionError), Child(module, ["0"]) as child:
        raise ZeroDivisionError
    assert is_gone(child.pid)


def test_all_that_it_prints_is_appended_to_a_log(module, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    with Child(module, ["143"], log=log) as child:
        waiting.until(lambda: child.check() or "asleep" in log.read_text())
        child.ask_to_end()
        child.ask_to_end()  # says no more
        child.wait()
        assert is_gone(child.pid)
    assert log.read_text() == "before\nasleep\nstopped\n"


def test_a_child_that_does_not_know_the_signal_yet(tmp_path):
    with Child("timeit", ["-n1", "import time; time.sleep(1000)"], log=tmp_path / "log") as child:
        child.ask_to_end()
        child.wait()


@pytest.mark.parametrize("code", [130, 143])
def test_a_whole_job_is_stopped(module, tmp_path, code):
    """A training is told by whoever stops the job, and by its parent."""
    with Child(module, [str(code)], log=tmp_path / "log.txt") as child:
        waiting.until(lambda: child.check() or "asleep" in (tmp_path / "log.txt").read_text())
        child.ask_to_end()
        child.wait()


def test_a_signal_that_nobody_asked_for():
    with Child("timeit", ["-n1", "import time; time.sleep(1000)"]) as child:
        os.kill(child.pid, signal.SIGTERM)
        with pytest.raises(ChildError, match="killed by SIGTERM"):
            child.wait()


def test_more_than_a_pipe_holds_that_nobody_reads():
    with Child("timeit", ["-n1", "-r1", "print('x' * 1_000_000)"]) as child:
        child.wait()


def test_what_it_prints_without_end_is_not_kept():
    program = (
        "import os, sys\nfor _ in range(4):\n    os.write(2, b'x' * 1_000_000)\n"
        "    print('done', flush=True)\n    input()\nos.write(2, b'error: at last\\n'); os._exit(2)"
    )
    with Child("timeit", ["-n1", program]) as child:
        for _ in range(4):
            assert child.hear() == "done"
            child.say("on")
        with pytest.raises(ChildError, match=r"^at last$"):
            child.hear()
        assert os.fstat(child._log.fileno()).st_size < 3_000_000


def test_what_is_no_text(tmp_path):
    program = "import os; os.write(2, b'error: caf\\xe9\\n'); os._exit(2)"
    for log in (None, tmp_path / "log"):
        with (
            pytest.raises(ChildError, match=r"^caf\ufffd$"),
            Child("timeit", ["-n1", program], log=log) as child,
        ):
            child.wait()


def test_a_failure_while_it_stops(module, tmp_path):
    log = tmp_path / "log.txt"
    with Child(module, ["1"], log=log) as child:
        waiting.until(lambda: child.check() or log.read_text())
        child.ask_to_end()
        with pytest.raises(ChildError, match="exit code 1: stopped"):
            child.wait()


def test_how_it_ended(module, tmp_path):
    log = tmp_path / "log.txt"
    with Child(module, ["0", "end"], log=log) as child:
        child.wait()
        assert child.has_ended()
    for code, message in [(1, "ended early with exit code 1: no luck"), (2, "^no luck$")]:
        with Child(module, [str(code), "end"], log=log) as child:
            with pytest.raises(ChildError, match=message) as raised:
                child.wait()
            assert raised.value.code == code


@pytest.mark.parametrize("blow", ["SIGKILL", "SIGTERM", "0"])
def test_a_directory_is_removed_after_a_process(tmp_path, blow):
    """However it ends, and whatever copies of it are left."""
    directory = tmp_path / "it's here"
    (directory / "some").mkdir(parents=True)
    program = [sys.executable, "-c", REMOVING, str(directory), blow]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True)
    try:
        assert (done.returncode == 0) == (blow == "0")
        waiting.until(lambda: not directory.exists())
    finally:
        os.kill(int(done.stdout), signal.SIGKILL)


def test_all_of_a_session_ends_with_its_leader():
    """Whatever process groups it has, and whatever its processes are called."""
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    program = [sys.executable, "-c", LEADING]
    done = subprocess.run(program, start_new_session=True, stdout=subprocess.PIPE, text=True)
    pids = [int(line) for line in done.stdout.splitlines()]
    assert len(pids) == 2
    waiting.until(lambda: not any(map(processes.is_alive, pids)))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


SHARING = """
import os, signal
from hts_tf.system import child
from tests import sharing

child.end_session_with_this_process()
sharing.share()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_shared_memory_of_a_session_is_gone_with_its_leader():
    program = [sys.executable, "-c", SHARING]
    streams = {"stdout": subprocess.PIPE, "text": True, "cwd": command_line.ROOT}
    done = subprocess.run(program, start_new_session=True, **streams)
    waiting.until(lambda: not Path("/dev/shm", done.stdout.strip()).exists())


def test_children_of_children_keep_their_files(tmp_path):
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path / "directory")], check=True)


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
