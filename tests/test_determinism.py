"""The promise: the same fingerprints, whatever happens to the machine in between.

Through the command line, on the synthetic environment; test_end_to_end.py has the same on football.
"""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files.workdir import Workdir
from hts_tf.system.processors import usable_cores
from hts_tf.watching import trace
from tests import command_line, patience
from tests.sameness import assert_same, rows_of, wait_for_rows

pytestmark = pytest.mark.slow

NUM_UPDATES, NUM_ENVS, SYNC_INTERVAL = 8, 8, 32
FLAGS = [
    "--scenario=synthetic",
    f"--gin_bindings=Trainer.num_envs = {NUM_ENVS}",
    f"--gin_bindings=Trainer.sync_interval = {SYNC_INTERVAL}",
    f"--gin_bindings=Trainer.total_env_steps = {NUM_UPDATES * SYNC_INTERVAL * NUM_ENVS}",
    "--gin_bindings=Trainer.crash_limit = 1000",
    "--gin_bindings=Synthetic.episode_steps = 23",
    "--gin_bindings=Synthetic.time_limit = True",
]

# What happens at random here is not seeded: it is other in every run.
UNEVEN = """
import dataclasses, os, random, signal, time
import gin
from hts_tf.environments import synthetic

chance = random.SystemRandom()

def around(owner, name):
    method = getattr(owner, name)
    def delayed(*args, **kwargs):
        time.sleep(chance.uniform(0.0, 0.02))
        return method(*args, **kwargs)
    setattr(owner, name, delayed)

def delay_actors_and_learner():
    from hts_tf import learner
    from hts_tf.collecting import policy
    around(policy.Policy, "act")
    around(learner.Learner, "step")

@gin.configurable
@dataclasses.dataclass(frozen=True)
class Uneven(synthetic.Synthetic):
    delays: bool = False
    failures: float = 0.0

    def make(self):
        game = super().make()
        play = game.step
        def step(*args):
            if self.delays:
                time.sleep(chance.uniform(0.0, 0.02))
            if chance.random() < self.failures:
                raise RuntimeError("by chance")
            return play(*args)
        game.step = step
        return game
"""


def workers(num_actors, num_executors, actor_batch_size):
    return [
        f"--gin_bindings=Trainer.num_actors = {num_actors}",
        f"--gin_bindings=Trainer.num_executors = {num_executors}",
        f"--gin_bindings=Trainer.actor_batch_size = {actor_batch_size}",
    ]


def train(workdir, *flags, pythonpath=()):
    """Trains to the end; returns standard error."""
    with command_line.start(
        "hts_tf.train", f"--workdir={workdir}", *FLAGS, *flags, pythonpath=pythonpath
    ) as process:
        code, _, errors = command_line.finish(process)
    assert code == 0, errors
    assert not executors_of(process.pid)
    assert rows_of(workdir) == NUM_UPDATES
    return errors


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Workdir of a run that nothing happened to, with one worker of each kind."""
    workdir = tmp_path_factory.mktemp("reference")
    train(workdir, *workers(1, 1, NUM_ENVS))
    return workdir


@pytest.fixture
def uneven(tmp_path):
    """Arguments of `train` for an environment on which chance acts."""
    (tmp_path / "uneven.py").write_text(UNEVEN)

    def arguments(*bindings, delay_all=False):
        gin_file = tmp_path / "uneven.gin"
        gin_file.write_text(
            "import uneven\nTrainer.environment = @Uneven()\n"
            "Uneven.episode_steps = 23\nUneven.time_limit = True\n" + "\n".join(bindings)
        )
        if delay_all:
            with (tmp_path / "uneven.py").open("a") as file:
                file.write("\nif 'tensorflow' in __import__('sys').modules:\n")
                file.write("    delay_actors_and_learner()\n")
        return {"flags": [f"--gin_files={gin_file}"], "pythonpath": [tmp_path]}

    return arguments


def test_as_many_workers_as_environments(reference, tmp_path):
    """Other numbers of them are below."""
    train(tmp_path / "run", *workers(4, NUM_ENVS, 1))
    assert_same(tmp_path / "run", reference, NUM_UPDATES)


def test_delays_in_executors_actors_and_learner(reference, tmp_path, uneven):
    arguments = uneven("Uneven.delays = True", delay_all=True)
    train(
        tmp_path / "run",
        *arguments["flags"],
        *workers(2, 4, 3),
        pythonpath=arguments["pythonpath"],
    )
    assert_same(tmp_path / "run", reference, NUM_UPDATES)


def test_a_busy_machine(reference, tmp_path):
    burner = [sys.executable, "-c", "while True: pass"]
    run = tmp_path / "run"
    patience.allow(run, 1)
    flags = [f"--workdir={run}", *FLAGS, *patience.FLAGS, *workers(2, 2, 1)]
    with command_line.start("hts_tf.train", *flags) as process, contextlib.ExitStack() as stack:
        wait_for_rows(run, 1, process)  # not while it begins, which takes longer than the rest
        for _ in range(usable_cores()):
            burning = stack.enter_context(subprocess.Popen(burner))
            stack.callback(burning.kill)
        patience.allow(run)
        code, _, errors = command_line.finish(process)
    assert code == 0, errors
    assert not executors_of(process.pid)
    assert_same(run, reference, NUM_UPDATES)


def test_steps_that_raise_and_a_trace_of_them(reference, tmp_path, uneven):
    arguments = uneven("Uneven.failures = 0.01")
    errors = train(
        tmp_path / "run", "--trace", *arguments["flags"], pythonpath=arguments["pythonpath"]
    )
    assert_same(tmp_path / "run", reference, NUM_UPDATES)
    assert errors.count("RuntimeError: by chance") > 5
    assert errors.count("another takes its place") > 5
    found = trace.read(tmp_path / "run" / trace.FILE_NAME)
    assert (tmp_path / "run" / trace.FILE_NAME).with_suffix(".png").exists()
    # From the end of the second interval to that of the fourth, the last one included.
    assert len(found.sync_points) == 3
    assert found.sync_points[0] == 0.0
    steps = [[], []]
    for worker, events in found.workers.items():
        assert [event for event in events if event.activity.startswith("inf")] or (
            trace.role(worker) != "actor"
        )
        for before, after in itertools.pairwise(events):
            assert 0.0 <= before.begin <= before.end <= after.begin + 1e-6
            assert after.end <= found.end + 1e-6
        for event in events:
            if event.activity == "step":
                steps[event.begin > found.sync_points[1]].append(event.number)
    for interval in steps:  # some are repeated, after a death
        assert all(interval.count(slot) >= SYNC_INTERVAL for slot in range(NUM_ENVS))
    learner = [event.activity for event in found.workers["learner"]]
    assert learner == ["update", "wait_rollout"] * 2


def test_many_killed_executors(reference, tmp_path):
    """At random moments; the pace is slow enough for the run not to end before."""
    flags = [
        "--gin_bindings=Trainer.num_executors = 4",
        "--gin_bindings=Synthetic.mean_step_sec = 0.03",
    ]
    with command_line.start(
        "hts_tf.train", f"--workdir={tmp_path / 'run'}", *FLAGS, *flags
    ) as process:
        killed = set()
        while len(killed) < 15:
            executors = {*executors_of(process.pid)} - killed  # some are still dying
            assert process.poll() is None
            if executors:
                victim = random.choice([*executors])
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)
            time.sleep(random.uniform(0.0, 0.3))
        code, _, errors = command_line.finish(process)
    assert code == 0, errors
    assert not executors_of(process.pid)
    assert errors.count("was killed by SIGKILL") == 15
    assert_same(tmp_path / "run", reference, NUM_UPDATES)


def test_killed_trainers(reference, tmp_path):
    """At random moments of start-up and training, each time gone on by the same command."""
    workdir = tmp_path / "run"
    flags = [
        "--gin_bindings=Trainer.checkpoint_every_updates = 1",
        "--gin_bindings=Trainer.num_executors = 2",
    ]
    slow = "--gin_bindings=Synthetic.mean_step_sec = 0.01"
    rows = 0
    for i in range(3):
        with command_line.start(
            "hts_tf.train", f"--workdir={workdir}", *FLAGS, *flags, slow
        ) as process:
            if i:  # at work: it got further than the last one, and wrote a checkpoint of it
                wait_for_rows(workdir, rows + 2, process, at_most_sec=0.15)
            else:
                time.sleep(random.uniform(0.0, 3.0))
            executors = executors_of(process.pid)
            assert process.poll() is None, process.stderr.read()
            process.kill()
        rows = max(rows, rows_of(workdir))
        for pid in executors:  # the kernel kills them with their parent
            subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], check=True)
        assert not executors_of(process.pid)
    # A checkpoint is written after its update's row: of the last row there may be none.
    assert Workdir(workdir).newest()["run/updates"] >= rows - 1 >= 3
    train(workdir, *flags, slow)
    assert_same(workdir, reference, NUM_UPDATES)


def test_a_step_that_always_fails_ends_the_run_and_can_be_replayed(tmp_path):
    (tmp_path / "cliff.py").write_text(
        """
import gin
from hts_tf.environments import synthetic

@gin.configurable
class Cliff(synthetic.Synthetic):
    def make(self):
        game = super().make()
        play = game.step
        def step(*args):
            if game._step == 7:
                raise ArithmeticError("over the cliff")
            return play(*args)
        game.step = step
        return game
"""
    )
    gin_file = tmp_path / "cliff.gin"
    gin_file.write_text("import cliff\nTrainer.environment = @Cliff()\n")
    with command_line.start(
        "hts_tf.train",
        f"--workdir={tmp_path / 'run'}",
        *FLAGS,
        f"--gin_files={gin_file}",
        "--gin_bindings=Trainer.crash_limit = 2",
        command_line.ONE_EXECUTOR,
        pythonpath=[tmp_path],
    ) as process:
        code, _, errors = command_line.finish(process)
    assert code == 1
    assert not executors_of(process.pid)
    last = errors.splitlines()[-1]
    assert last.startswith("error: executor")
    assert "env step 7; it died there 2 times (see docs/faq.md#" in last
    assert "); to replay that episode (seed " in last
    _, _, arguments = last.partition("python -m hts_tf.replay ")
    with command_line.start("hts_tf.replay", *arguments.split(), pythonpath=[tmp_path]) as process:
        code, _, errors = command_line.finish(process)
    assert code == 1
    assert "ArithmeticError: over the cliff" in errors
