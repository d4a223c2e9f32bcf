"""What comes from around a training: signals at any moment, and terminals that are gone."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hts_tf.benchmarks.kernel import executors_of
from tests import command_line, patience, waiting
from tests.sameness import assert_same

pytestmark = pytest.mark.slow

FLAGS = [
    "--scenario=synthetic",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Synthetic.mean_step_sec = 0.0015",
    command_line.ONE_EXECUTOR,
]


def flags(workdir, seconds):
    """Of a training that takes so long, once it has started."""
    steps = f"--gin_bindings=Trainer.total_env_steps = {640 * seconds}"
    return [*FLAGS, *patience.FLAGS, steps, f"--workdir={workdir}"]


# Its environment prints at each reset, and an observer at each update.
CHATTY = [
    "--gin_bindings=import tests.extensions.stubborn",
    "--gin_bindings=Trainer.observers = (@Patient(), @Chatty())",
]


def start(workdir, seconds, before=(), further=(), **streams):
    """Starts one by way of another program."""
    command = [*before, sys.executable, "-m", "hts_tf.train", *flags(workdir, seconds), *further]
    environment = {**os.environ, "PYTHONPATH": str(command_line.ROOT)}
    return subprocess.Popen(command, env=environment, start_new_session=True, **streams)


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        (signal.SIGINT, 0.1),
        (signal.SIGTERM, 1.0),
        (signal.SIGINT, 2.0),
        (signal.SIGTERM, 3.0),
        (signal.SIGINT, 3.5),
        (signal.SIGTERM, 4.0),
    ],
)
def test_a_signal_at_any_moment(tmp_path, number, seconds):
    workdir = tmp_path / "run"
    launcher = ["env", "--block-signal=INT,TERM"]  # as launch/train.sh
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    patience.allow(workdir)
    with start(workdir, 60, launcher, **streams) as process:
        time.sleep(seconds)
        while Path(f"/proc/{process.pid}/comm").read_text() == "env\n":  # blocks no signals yet
            time.sleep(0.001)
        os.killpg(process.pid, number)
        for pid in executors_of(process.pid):  # as one that is sent to a whole job
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _, errors = process.communicate()
    assert process.returncode == 128 + number
    noted = f"{number.name}: stopping at the next sync point (again: at once)"
    assert without_batching(errors).strip() in ("", noted)
    assert not executors_of(process.pid)
    assert not list(workdir.rglob("*.tmp"))


@pytest.mark.parametrize("gone", ["closed from the start", "a reader that leaves", "a full disk"])
def test_an_executor_that_dies_when_the_terminal_is_gone(tmp_path, gone):
    streams = {}
    before = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"]
    if gone == "a reader that leaves":
        before, streams = (), {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if gone == "a full disk":
        before[2] = 'exec "$@" >/dev/full 2>/dev/full'
    patience.allow(tmp_path, 3)
    with start(tmp_path, 2, before, CHATTY, **streams) as process:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        table = tmp_path / "fingerprints.csv"
        while not table.exists() or table.read_text().count("\n") < 3:
            assert process.poll() is None
            time.sleep(0.01)
        victim, *_ = executors_of(process.pid)
        os.kill(victim, signal.SIGKILL)
        patience.allow(tmp_path)
    assert process.returncode == 0
    assert table.read_text().count("\n") == 1 + 20
    assert (tmp_path / "chatty.txt").read_text().count("\n") == 20


def without_batching(errors):
    """What was said but the warning that some machines cannot do without."""
    lines = errors.strip().splitlines()
    return "\n".join(line for line in lines if not line.startswith("warning: on this machine"))


def train(workdir, room=None):
    """Trains; from where it begins on, no file may have more bytes than `room`.

    Returns:
      (exit code, standard error).
    """
    patience.allow(workdir, 1_000_000 if room is None else 1)
    with command_line.start("hts_tf.train", *flags(workdir, 2)) as process:
        process.stdout.readline()  # it is about to begin
        if room is not None:
            # Of memory, what executors are told is written like a file.
            waiting.until(lambda: executors_of(process.pid))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
            patience.allow(workdir)
        code, _, errors = command_line.finish(process)
    return code, without_batching(errors)


def test_a_disk_that_is_full_for_a_while(tmp_path):
    """No file may grow beyond some size: none at all, and then no checkpoint."""
    assert train(tmp_path / "reference") == (0, "")
    workdir = tmp_path / "run"
    full = []
    for room in (0, 70_000):
        code, errors = train(workdir, room)
        [error] = errors.splitlines()
        assert code == 1
        assert "File too large; the same command goes on from the last checkpoint" in error
        full.append(Path(error.removeprefix("error: ").split(":")[0]))
        assert not list(workdir.rglob("*.tmp"))
    assert all(path.parent == workdir or path.suffix == ".ckpt" for path in full), full
    assert full[1].suffix == ".ckpt"
    assert train(workdir) == (0, "")
    assert_same(workdir, tmp_path / "reference", 20)
