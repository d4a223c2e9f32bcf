"""Training from Python."""

import builtins
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import hts_tf
from hts_tf import calling, errors, operative
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import LOCK, Workdir
from tests import too_rich, waiting
from tests.command_line import ROOT

SMALL = {
    "Trainer.num_envs": 4,
    "Trainer.sync_interval": 16,
    "Trainer.total_env_steps": 128,
    "Trainer.num_executors": 1,
    "Synthetic.step_time": "exponential",
    "PPO.num_minibatches": 2,
}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (("@CsvLog()",), "(@CsvLog(), )"),
        (["%a", 1], "[%a, 1, ]"),
        ({"image": "@nature_cnn", "x": ("a", None)}, "{'image': @nature_cnn, 'x': ('a', None, )}"),
        (np.float64(1e-3), "0.001"),
        ((), "()"),
        ("relative", "'relative'"),
        (Path("runs/one"), "'runs/one'"),
    ],
)
def test_values_of_python_as_gin_has_them(value, written):
    line = calling._line("A.b", value)
    assert line == f"A.b = {written}"
    assert "A.b" in operative.bindings(line)


@pytest.mark.slow
def test_training_from_python(tmp_path, capfd, monkeypatch):
    """What looks like an error and is none hides nothing: some renderers say such as they begin."""
    (tmp_path / "loud.py").write_text("print('error: XDG_RUNTIME_DIR not set', flush=True)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "loud.gin").write_text("import loud\nquiet.volume = 3")
    (tmp_path / "quiet.py").write_text("import gin\n@gin.configurable\ndef quiet(volume=1): ...")
    workdir = hts_tf.train(
        "synthetic",
        workdir="~/run",
        bindings={**SMALL, "ActorCritic.core": "@gru"},
        gin_files="~/loud.gin",
        modules="quiet",  # which the file does not import
        seed=3,
    )
    assert workdir == tmp_path / "run"
    said = capfd.readouterr().out
    assert "error: XDG_RUNTIME_DIR not set" in said
    assert "128 of 128 env steps" in said
    config = (workdir / "config.gin").read_text()
    assert "# --seed = 3" in config
    assert "import quiet\n" in config
    assert "quiet.volume = 3\n" in config
    assert "Synthetic.step_time = 'exponential'" in config
    with pytest.raises(errors.ConfigError, match="num_env"):
        hts_tf.train("synthetic", workdir=tmp_path / "other", bindings={"Trainer.num_env": 3})
    with pytest.raises(errors.ConfigError, match="speed"):
        hts_tf.train("synthetic", workdir=tmp_path / "other", speed=3)
    (tmp_path / "early.py").write_text("import tensorflow as tf; ZERO = tf.zeros(1)")
    with pytest.raises(errors.ConfigError, match="TensorFlow was in use before it was set up: a"):
        hts_tf.train("synthetic", workdir=tmp_path / "other", modules="early")
    with pytest.raises(errors.ConfigError, match="--workdir= says nothing"):
        hts_tf.train("synthetic", workdir="")
    assert "error" not in capfd.readouterr().out


@pytest.mark.slow
def test_divergence_has_its_own_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    gin_files = [too_rich.write(tmp_path)]
    bound = {name: value for name, value in SMALL.items() if "Synthetic" not in name}
    with pytest.raises(errors.DivergenceError, match="not finite"):
        hts_tf.train("synthetic", workdir=tmp_path / "run", bindings=bound, gin_files=gin_files)


@pytest.mark.slow
def test_when_nobody_reads_what_is_printed_the_training_ends(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise BrokenPipeError

    slow = {**SMALL, "Trainer.total_env_steps": 1_000_000, "Synthetic.mean_step_sec": 0.003}
    monkeypatch.setattr(builtins, "print", refuse)
    with pytest.raises(BrokenPipeError):
        hts_tf.train("synthetic", workdir=tmp_path, bindings=slow)
    assert RunLog(tmp_path).env_steps < 1_000_000


@pytest.fixture
def interruptible():
    """SIGINT interrupts, also where who started the tests had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_training_from_python_is_interrupted(tmp_path, interruptible):
    slow = {**SMALL, "Trainer.total_env_steps": 100_000, "Synthetic.mean_step_sec": 0.003}

    def interrupt():
        waiting.until(lambda: RunLog(tmp_path).env_steps)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        hts_tf.train("synthetic", workdir=tmp_path, bindings=slow)
    thread.join()
    assert list(tmp_path.glob("checkpoints/*"))


CALLING = """
import sys
import hts_tf
hts_tf.train("synthetic", workdir=sys.argv[1], bindings=eval(sys.argv[2]))
"""


@pytest.mark.slow
def test_when_its_caller_is_ended_it_writes_a_checkpoint(tmp_path):
    slow = {**SMALL, "Trainer.total_env_steps": 100_000, "Synthetic.mean_step_sec": 0.003}
    caller = [sys.executable, "-c", CALLING, tmp_path, repr(slow)]
    with subprocess.Popen(caller, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        waiting.until(lambda: RunLog(tmp_path).env_steps)
        process.terminate()
    waiting.until(lambda: Workdir(tmp_path).ending() is not None)
    assert list(tmp_path.glob("checkpoints/*"))


@pytest.mark.slow
def test_interrupted_twice_it_ends_at_once(tmp_path, interruptible, monkeypatch):
    """As when its next sync point is far away."""
    never = {
        **SMALL,
        "Trainer.sync_interval": 100_000,
        "Trainer.total_env_steps": 400_000,
        "Synthetic.mean_step_sec": 0.05,
    }
    said = []
    monkeypatch.setattr(builtins, "print", lambda text, **_: said.append(text))

    def interrupt():
        for what in ("reproducible to the bit", "SIGTERM"):
            waiting.until(lambda what=what: any(what in text for text in said))
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        hts_tf.train("synthetic", workdir=tmp_path, bindings=never)
    thread.join()
    with (tmp_path / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is in use no more
