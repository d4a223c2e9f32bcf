"""Evaluation while a run trains: the policies' own figures, and nothing of it in the run."""

import csv
import errno
import os
import random
import shutil
import signal
import subprocess
import time
import types
from unittest import mock

import pytest

from hts_tf.files import checkpoint
from hts_tf.files.curves import RunLog
from hts_tf.files.evaluations import Evaluations
from hts_tf.watching import evaluation_process
from tests import command_line, processes, refusals, waiting
from tests.command_line import SMALL_FOOTBALL
from tests.sameness import assert_same, wait_for_rows

pytestmark = pytest.mark.slow

HERE = command_line.ROOT / "tests" / "extensions"
# 24 updates of 512 env steps, in which it learns.
SYNTHETIC = [
    "--scenario=synthetic",
    "--gin_bindings=Trainer.sync_interval = 32",
    "--gin_bindings=Trainer.total_env_steps = 12288",
    "--gin_bindings=PPO.learning_rate = 0.003",
    command_line.ONE_EXECUTOR,
]
EVALUATED = [
    "--gin_bindings=Trainer.evaluate_every_updates = 5",
    "--gin_bindings=Trainer.evaluate_episodes = 9",
]


def start(workdir, *flags, game=SYNTHETIC):
    return command_line.start("hts_tf.train", f"--workdir={workdir}", *game, *flags)


def finish(process):
    code, output, errors = command_line.finish(process)
    assert code == 0, errors
    assert not processes.in_session(process.pid)
    return output, errors


def evaluation_processes(workdir):
    return processes.with_words("hts_tf.evaluating", f"--workdir={workdir}")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("evaluated")
    finish(start(workdir, *EVALUATED))
    return workdir


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("calm")
    finish(start(workdir))
    return workdir


def test_a_run_is_the_same_without(evaluated, calm):
    assert_same(evaluated, calm, 24)


def test_what_is_evaluated(evaluated):
    rows = Evaluations(evaluated).read()
    assert [row.updates for row in rows] == [5, 10, 15, 20, 24]
    assert [row.env_steps for row in rows] == [6 * 512, 11 * 512, 16 * 512, 21 * 512, 24 * 512]
    assert {(row.episodes, row.length) for row in rows} == {(9, 16.0)}
    assert rows[-1].score > rows[0].score
    shown = RunLog(evaluated).series["evaluation/score"]
    assert shown == pytest.approx({row.env_steps: row.score for row in rows})
    assert evaluation_processes(evaluated) == []


@pytest.fixture(scope="module")
def played_again(evaluated, tmp_path_factory):
    """What `hts_tf.evaluate` comes to with each of these policies, and the table that it writes."""
    directory = tmp_path_factory.mktemp("played_again")
    best = int(Evaluations(evaluated).best_state()["run/updates"])
    names = {"best": "best", "newest": "newest", "of that number": best, "gone": 7}
    tables = [directory / f"{name}.csv" for name in names.values()]
    commands = [
        [
            f"--workdir={evaluated}",
            f"--checkpoint={name}",
            "--episodes=9",
            f"--seed={evaluation_process.SEED}",
            f"--output={table}",
            "--novideo",
        ]
        for name, table in zip(names.values(), tables, strict=True)
    ]
    results = refusals.of("hts_tf.evaluate", "evaluate", commands)
    return dict(zip(names, zip(results, tables, strict=True), strict=True))


@pytest.mark.parametrize("which", ["best", "newest", "of that number"])
def test_evaluate_plays_the_same(evaluated, played_again, which):
    """Those which are still there."""
    (code, output, errors), table = played_again[which]
    assert code == 0, errors
    with table.open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    updates = 24 if which == "newest" else int(Evaluations(evaluated).best_state()["run/updates"])
    (row,) = (row for row in Evaluations(evaluated).read() if row.updates == updates)
    assert sum(scores) / 9 == pytest.approx(row.score, rel=1e-12)
    assert f"{row.env_steps:,} env steps" in output


def test_a_policy_that_is_gone(evaluated, played_again):
    (code, _, errors), _ = played_again["gone"]
    assert code == 2
    there = sorted({24, int(Evaluations(evaluated).best_state()["run/updates"])})
    numbers = ", ".join(map(str, there))
    assert errors.strip().endswith(f"@7: there is no such policy, but those of updates {numbers}")


def test_kills(evaluated, calm, tmp_path):
    """Of the process that evaluates, and of the trainer while policies wait."""
    slow = "--gin_bindings=Synthetic.mean_step_sec = 0.001"
    for rows, victim in ((7, "evaluation"), (12, "trainer")):
        save = "--gin_bindings=Trainer.checkpoint_every_updates = 1"
        with start(tmp_path, *EVALUATED, slow, save) as process:
            wait_for_rows(tmp_path, rows, process)
            if victim == "evaluation":
                while not (there := evaluation_processes(tmp_path)):
                    assert process.poll() is None
                    time.sleep(0.01)
                os.kill(there[0], signal.SIGKILL)
                process.terminate()
            else:
                process.kill()
            command_line.finish(process)
        # Killed by the kernel, but it gives way to all others.
        waiting.until(lambda: not evaluation_processes(tmp_path))
    finish(start(tmp_path, *EVALUATED, slow))
    assert Evaluations(tmp_path).read() == Evaluations(evaluated).read()
    best, expected = (Evaluations(path).best_state() for path in (tmp_path, evaluated))
    assert best["run/updates"] == expected["run/updates"]
    assert best.keys() == expected.keys()
    assert Evaluations(tmp_path).waiting() == []


def test_one_that_is_complete_evaluates_what_waits(tmp_path):
    """Ctrl-C while the last ones are evaluated loses none."""
    flags = [
        *EVALUATED,
        "--gin_bindings=Trainer.total_env_steps = 2048",
        "--gin_bindings=Trainer.evaluate_every_updates = 1",
        "--gin_bindings=Synthetic.mean_step_sec = 0.001",
    ]
    with start(tmp_path, *flags, "--gin_bindings=Trainer.evaluate_episodes = 60") as run:
        wait_for_rows(tmp_path, 4, run)
        while not Evaluations(tmp_path).read():
            assert run.poll() is None
            time.sleep(0.01)
        run.terminate()
        assert command_line.finish(run)[0] in (0, 143)
    finish(start(tmp_path, *flags))
    assert [row.updates for row in Evaluations(tmp_path).read()] == [1, 2, 3, 4]


@pytest.mark.parametrize(("hangs", "why"), [(False, "no tests today"), (True, "no env step")])
def test_an_evaluation_that_fails(tmp_path, hangs, why):
    """The run goes on without, and says so."""
    flags = [
        f"--gin_files={HERE / 'stubborn.gin'}",
        f"--gin_bindings=Stubborn.hangs = {hangs}",
        "--gin_bindings=Trainer.total_env_steps = 1024",
        "--gin_bindings=Trainer.evaluate_every_updates = 2",
        "--gin_bindings=Trainer.crash_limit = 1",
    ]
    if hangs:
        flags.append("--gin_bindings=Trainer.step_timeout_sec = 10")
    _, errors = finish(start(tmp_path, *flags))
    assert "the policy of 2 updates could not be evaluated" in errors
    assert why in errors
    assert Evaluations(tmp_path).read() == Evaluations(tmp_path).waiting() == []


def test_an_environment_that_prints_and_has_processes_and_long_resets(tmp_path):
    """Eight resets in two threads take longer than one may.

    What it prints is no answer; and nothing is left of what it started.
    """
    sleep = f"sleep {random.randrange(10**7, 10**8)}"
    flags = [
        f"--gin_files={HERE / 'stubborn.gin'}",
        "--gin_bindings=Stubborn.fails = False",
        "--gin_bindings=Stubborn.reset_sec = 3.0",
        f"--gin_bindings=Stubborn.program = '{sleep}'",
        "--gin_bindings=Trainer.step_timeout_sec = 8",
        "--gin_bindings=Trainer.crash_limit = 1",
        "--gin_bindings=Trainer.total_env_steps = 1024",
        "--gin_bindings=Trainer.evaluate_every_updates = 1",
        "--gin_bindings=Trainer.evaluate_episodes = 8",
    ]
    finish(start(tmp_path, *flags))
    assert [row.updates for row in Evaluations(tmp_path).read()] == [1, 2]
    waiting.until(lambda: not processes.with_words(*sleep.split()))  # the kernel is at it


def test_more_that_wait_than_are_played(tmp_path, monkeypatch, capfd):
    """Each of them will be, but somebody has to say that the run will wait for that."""
    settings = types.SimpleNamespace(
        evaluate_every_updates=1, evaluate_episodes=1, step_timeout_sec=None, crash_limit=2
    )
    evaluations = evaluation_process.EvaluationProcess(tmp_path, settings)
    directory = tmp_path / "checkpoints" / "to_evaluate"
    directory.mkdir(parents=True)
    monkeypatch.setattr(evaluation_process, "_MANY", 3)
    monkeypatch.setattr(evaluations, "_ask", lambda: None)
    monkeypatch.setattr(
        Evaluations,
        "add",
        lambda self, agent, updates, _: checkpoint.path_of(directory, updates).touch(),
    )
    for updates in range(1, 6):
        evaluations.round_over(None, updates, 100 * updates, is_last=False)
        said = capfd.readouterr().err
        assert ("3 policies wait for their evaluations" in said) == (updates == 3)
    assert evaluations.num_waiting == 5


def test_who_tells_once_a_second_that_it_works_does_not_hang(tmp_path, monkeypatch):
    settings = types.SimpleNamespace(
        evaluate_every_updates=1, evaluate_episodes=1, step_timeout_sec=0.5, crash_limit=2
    )
    evaluations = evaluation_process.EvaluationProcess(tmp_path, settings)
    monkeypatch.setattr(evaluations, "_ask", lambda: None)
    failed = []
    monkeypatch.setattr(evaluations, "_fail", failed.append)
    evaluations._asked, evaluations._has_begun = tmp_path, True
    for silent_sec in (1.2, 6.0):
        evaluations._heard_at = time.monotonic() - silent_sec
        evaluations.ended()
        assert bool(failed) == (silent_sec > 5.0)


def test_no_room_for_another_process(tmp_path, monkeypatch, evaluated):
    """The run goes on without its evaluations, and says so."""
    settings = types.SimpleNamespace(
        evaluate_every_updates=1, evaluate_episodes=1, step_timeout_sec=None, crash_limit=2
    )
    evaluations = evaluation_process.EvaluationProcess(tmp_path, settings)
    shutil.copy(evaluated / "config.gin", tmp_path)
    shutil.copytree(evaluated / "checkpoints" / "best", tmp_path / "checkpoints" / "to_evaluate")
    monkeypatch.setattr(
        subprocess, "Popen", mock.Mock(side_effect=OSError(errno.ENOMEM, "Cannot allocate memory"))
    )
    for pause, attempts in [(5.0, 1), (5.0, 1), (0.0, 2)]:
        monkeypatch.setattr(evaluation_process, "_PAUSE_SEC", pause)
        if not pause:
            evaluations._next_start = 0.0
        assert not evaluations.is_idle
        assert evaluations.ended() == []
        assert subprocess.Popen.call_count == attempts
    assert evaluations.is_idle


def test_rivals_are_refused(tmp_path):
    flags = [
        "--gin_bindings=Trainer.evaluate_every_updates = 5",
        "--gin_bindings=Football.right_players = 1",
    ]
    code, _, errors = command_line.finish(start(tmp_path, *flags, game=SMALL_FOOTBALL))
    assert code == 2
    assert "Trainer.evaluate_every_updates is bound, but the environment has rivals" in errors


def test_football(tmp_path):
    flags = [
        "--gin_bindings=Trainer.evaluate_every_updates = 4",
        "--gin_bindings=Trainer.evaluate_episodes = 3",
    ]
    finish(start(tmp_path, *flags, game=SMALL_FOOTBALL))
    rows = Evaluations(tmp_path).read()
    assert [(row.updates, row.episodes) for row in rows] == [(4, 3), (8, 3)]


def test_one_that_is_complete_and_was_not_evaluated(evaluated, calm, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(calm, workdir)
    finish(start(workdir, *EVALUATED))
    assert Evaluations(workdir).read() == Evaluations(evaluated).read()[-1:]


def test_stop_at_score(calm, tmp_path):
    """The run is over there, is as the other one up to there, and goes on if it is to."""
    stop = "--gin_bindings=Trainer.stop_at_score = 0.5"
    output, _ = finish(start(tmp_path, stop))
    assert "Trainer.stop_at_score = 0.5 is reached" in output
    scores = [*RunLog(tmp_path).series["episodes/score"].values()]
    assert scores[-1] >= 0.5 > max(scores[:-1])
    assert len(scores) < 25
    again, _ = finish(start(tmp_path, stop))
    assert again.splitlines()[-2:] == output.splitlines()[-2:]
    finish(start(tmp_path))
    assert_same(tmp_path, calm, 24)
