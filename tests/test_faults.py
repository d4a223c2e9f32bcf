"""Environments and machines that break the rules, through the command line.

Whatever they do, the run does the right thing, or stops with one line that names what, where, and
what to do.
"""

import contextlib
import itertools
import json
import os
import signal
import time

import numpy as np
import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files import archive, checkpoint
from hts_tf.files.workdir import Workdir
from tests import command_line, patience, processes, waiting
from tests.sameness import wait_for_rows

pytestmark = pytest.mark.slow

# Binding -> how the environment behaves; `sound` is Synthetic itself.
FAULTY = """
import dataclasses, random, subprocess, time
import gin
import numpy as np
from hts_tf.environments import base, synthetic

class Game(synthetic.SyntheticEnvironment):
    def __init__(self, config):
        super().__init__(config)
        self._total = 0
        self._is_faulty = False
        self._brightness = 1 + random.random()
        if config.fault == "children":
            subprocess.Popen(["sleep", "3600"])

    def step(self, action, observation):
        result = super().step(action, observation)
        self._total += 1
        fault = self._config.fault
        if fault == "hangs in the end" and self._total > 40:
            self._is_faulty = True
            return result._replace(reward=float("nan"))
        if fault == "seed":
            observation *= self._brightness
        if fault == "both":
            result = result._replace(truncated=result.terminated)
            return base.StepResult(*(np.array([x]) for x in result))
        if fault == "reward" and self._total > 40 and self._step == 5:
            return result._replace(reward=float("nan"))
        if fault == "large rewards":
            return result._replace(reward=3e38)
        return result

    def close(self):
        while self._is_faulty:
            time.sleep(1)

@gin.configurable
@dataclasses.dataclass(frozen=True)
class Faulty(synthetic.Synthetic):
    fault: str = "none"

    def make(self):
        return Game(self)
"""
FLAGS = [
    "--scenario=synthetic",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 512",
    "--gin_bindings=Trainer.checkpoint_every_updates = 1",
    command_line.ONE_EXECUTOR,
]


def run(module, tmp_path, *flags):
    with command_line.start(module, *flags, pythonpath=[tmp_path]) as process:
        result = command_line.finish(process)
    assert not executors_of(process.pid)
    return result


def start_training(tmp_path, name, *flags, fault=None):
    """Starts to train in a workdir of that name."""
    if fault is not None:
        (tmp_path / "faulty.py").write_text(FAULTY)
        (tmp_path / f"{fault}.gin").write_text(
            f"import faulty\nTrainer.environment = @Faulty()\nFaulty.fault = '{fault}'\n"
            "Faulty.episode_steps = 23\n"
        )
        flags = [*flags, f"--gin_files={tmp_path / fault}.gin"]
    flags = [f"--workdir={tmp_path / name}", *FLAGS, *flags]
    return command_line.start("hts_tf.train", *flags, pythonpath=[tmp_path])


def train(tmp_path, name, *flags, fault=None):
    """Trains to the end; returns (workdir, exit code, output, errors)."""
    with start_training(tmp_path, name, *flags, fault=fault) as process:
        result = command_line.finish(process)
    assert not executors_of(process.pid)
    return tmp_path / name, *result


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The hash of the parameters that a run without faults comes to."""
    _, code, output, errors = train(tmp_path_factory.mktemp("sound"), "run", fault="none")
    assert code == 0, errors
    return command_line.parameters_hash(output)


def test_terminated_and_truncated_is_terminated_and_arrays_are_numbers(tmp_path, sound):
    _, code, output, errors = train(tmp_path, "run", fault="both")
    assert code == 0, errors
    assert command_line.parameters_hash(output) == sound


def test_a_value_that_is_no_number_stops_the_run_at_that_step(tmp_path):
    workdir, code, _, errors = train(tmp_path, "run", fault="reward")
    assert code == 1
    assert "Traceback" not in errors
    *_, last = errors.splitlines()
    assert last.startswith(
        "error: Game broke a rule in env step 4 of its episode: the reward is na"
    )
    assert "(see docs/your_own_environment.md#what-it-may-not-do) (stepping environment " in last
    # The checkpoint is from before, and sound.
    [newest, *_] = checkpoint.paths(workdir / "checkpoints")
    state = Workdir(workdir).newest()
    assert int(state["run/next_round"]) == int(newest.stem)
    assert all(np.isfinite(a).all() for n, a in state.items() if n.startswith("variable/"))

    [record] = archive.read(next(workdir.glob("crash_*.bin")))
    assert f"(seed {record.seed})" in last
    _, _, arguments = last.partition("python -m hts_tf.replay ")
    # The environment counts its steps over all episodes; a replay has only the one.
    code, _, errors = run("hts_tf.replay", tmp_path, *arguments.split())
    assert (code, errors) == (0, "")


def test_a_broken_rule_is_told_even_if_the_environment_does_not_close(tmp_path):
    limit = "--gin_bindings=Trainer.step_timeout_sec = 3"
    _, code, _, errors = train(tmp_path, "run", limit, fault="hangs in the end")
    assert code == 1
    assert "error: Game broke a rule in env step" in errors.splitlines()[-1]


FSYNC = """
import os
from pathlib import Path

def fsync(fd, fsync=os.fsync):
    with open("synced.txt", "a") as file:
        print(Path(f"/proc/self/fd/{fd}").readlink().name, file=file)
    fsync(fd)

os.fsync = fsync
"""


def test_a_checkpoint_remembers_nothing_that_is_not_on_the_disk(tmp_path, monkeypatch):
    """Episodes, fingerprints and curves that a run which goes on from it does not make again."""
    (tmp_path / "noting_fsync.py").write_text(FSYNC)
    monkeypatch.chdir(tmp_path)
    table = "--gin_bindings=Trainer.observers = (@CsvLog(),)"
    _, code, _, errors = train(tmp_path, "run", "--gin_bindings=import noting_fsync", table)
    assert code == 0, errors
    synced = (tmp_path / "synced.txt").read_text().splitlines()
    saved = [number for number, name in enumerate(synced) if name.endswith(".ckpt.tmp")]
    assert len(saved) >= 8
    for before, now in itertools.pairwise([-1, *saved]):
        kinds = {name.split(".")[0] for name in synced[before + 1 : now]}
        assert kinds >= {"events", "episodes", "fingerprints", "progress"}


def test_source_that_has_changed_before_an_executor_takes_the_place_of_another(tmp_path):
    two = "--gin_bindings=Trainer.num_executors = 2"
    with start_training(tmp_path, "run", *patience.FLAGS, two, fault="none") as process:
        patience.allow(tmp_path / "run", 2)
        wait_for_rows(tmp_path / "run", 1, process)
        with (tmp_path / "faulty.py").open("a") as file:
            file.write("# from now on, all is as before")
        for pid in executors_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        patience.allow(tmp_path / "run")
        code, _, errors = command_line.finish(process)
    assert code == 0, errors
    assert errors.count(f"{tmp_path / 'faulty.py'} has changed since the launch") == 1


def test_a_run_that_diverges_stops_and_saves_nothing_of_it(tmp_path):
    workdir, code, _, errors = train(tmp_path, "run", fault="large rewards")
    assert code == 3
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith("error: update ")
    assert "made parameters that are not finite" in last
    for path in checkpoint.paths(workdir / "checkpoints"):
        state = checkpoint.load(path)
        assert all(np.isfinite(a).all() for n, a in state.items() if n.startswith("variable/"))


def test_what_other_projects_set_for_keras_changes_nothing(tmp_path, monkeypatch, sound):
    settings = {
        "backend": "jax",
        "floatx": "float64",
        "epsilon": 0.1,
        "image_data_format": "channels_first",
    }
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    _, code, output, errors = train(tmp_path, "run", fault="none")
    assert code == 0, errors
    assert command_line.parameters_hash(output) == sound


@contextlib.contextmanager
def training(tmp_path, name, *flags, fault):
    """A training that goes on for long, once it has saved a checkpoint."""
    directory = tmp_path / name / "checkpoints"
    before = checkpoint.paths(directory)[:1]
    flags = [*flags, "--gin_bindings=Trainer.total_env_steps = 5000000"]
    with start_training(tmp_path, name, *flags, fault=fault) as process:
        while checkpoint.paths(directory)[:1] == before:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        yield process
        process.kill()


def test_a_resumed_run_tells_of_environments_that_do_not_keep_to_their_seed(tmp_path):
    """And from then on, without finding that again."""
    said = []
    for _ in range(3):
        with training(tmp_path, "run", fault="seed") as process:
            process.send_signal(signal.SIGTERM)
            code, _, errors = command_line.finish(process)
        assert code == 128 + signal.SIGTERM
        said.append(("does not keep to its seed" in errors, "the same actions led" in errors))
    assert said == [(False, False), (True, True), (True, False)]
    assert "and results will not repeat" in errors


def test_processes_that_environments_start_end_with_a_run_that_is_killed(tmp_path):
    with training(tmp_path, "run", fault="children") as process:
        executors = executors_of(process.pid)
        assert all(len(processes.in_session(pid)) > 2 for pid in executors), "with children"
        process.kill()
        command_line.finish(process)
    waiting.until(lambda: not any(map(processes.in_session, executors)))
