"""The promises of the README, through the command line, on real football."""

import csv
import os
import shutil
import signal
import subprocess
import time

import pytest
from PIL import Image

from hts_tf import compare_runs
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files import archive, fingerprint_log
from hts_tf.files.workdir import Workdir
from tests import command_line, patience, refusals, training
from tests.command_line import SMALL_FOOTBALL
from tests.sameness import assert_same, fingerprints, wait_for_rows

pytestmark = pytest.mark.slow

TWO_EXECUTORS = "--gin_bindings=Trainer.num_executors = 2"


def train(workdir, *flags):
    """Trains to the end and returns the fingerprints."""
    bits = training.train(workdir, *SMALL_FOOTBALL, *flags)
    assert len(fingerprint_log.read_table(workdir)) == 8
    return bits


def compare(a, b):
    """Returns exit code and last line of `compare_runs`."""
    code, output, errors = command_line.run("hts_tf.compare_runs", a, b)
    assert not errors
    return code, output.splitlines()[-1]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A finished run with several checkpoints: (workdir, fingerprints)."""
    workdir = tmp_path_factory.mktemp("reference")
    return workdir, train(workdir, "--gin_bindings=Trainer.checkpoint_every_updates = 2")


def test_scope(reference):
    assert "scenario academy_empty_goal_close" in Workdir(reference[0]).scopes()[-1]


def test_another_seed_other_bits(reference, tmp_path):
    assert train(tmp_path, "--seed=1") != reference[1]
    code, line = compare(reference[0], tmp_path)
    assert code == 1
    assert line.startswith("different from update 1 on, first in ")
    rows = [fingerprint_log.read_table(path) for path in (reference[0], tmp_path)]
    for update in rows[0]:
        different = fingerprint_log.different(rows[0][update], rows[1][update])
        assert {"observation", "action", "logits", "value"} < set(different)
        assert {"parameters", "optimizer"} < set(different)


@pytest.mark.parametrize(
    ("num_actors", "num_executors", "actor_batch_size", "archive_episodes"),
    [(1, 4, 16, True), (3, 2, 1, False)],
)
def test_workers_and_the_archive_do_not_change_bits(
    reference, tmp_path, num_actors, num_executors, actor_batch_size, archive_episodes
):
    prints = train(
        tmp_path,
        f"--gin_bindings=Trainer.num_actors = {num_actors}",
        f"--gin_bindings=Trainer.num_executors = {num_executors}",
        f"--gin_bindings=Trainer.actor_batch_size = {actor_batch_size}",
        f"--gin_bindings=Trainer.archive_episodes = {archive_episodes}",
    )
    assert prints == reference[1]
    assert compare_runs.compare(reference[0], tmp_path) == (True, "identical up to update 8")
    archived = (reference[0] / archive.FILE_NAME).read_bytes() if archive_episodes else b""
    assert (tmp_path / archive.FILE_NAME).read_bytes() == archived


def test_stopped_and_resumed_is_as_never_stopped(reference, tmp_path):
    flags = [f"--workdir={tmp_path}", *SMALL_FOOTBALL, *patience.FLAGS, TWO_EXECUTORS]
    for number, rows in ((signal.SIGINT, 2), (signal.SIGTERM, 5)):
        patience.allow(tmp_path, rows)
        with command_line.start("hts_tf.train", *flags) as process:
            training.wait_for_progress(process)
            executors = executors_of(process.pid)
            assert executors
            process.stdout.close()  # as where the signal has ended the reader of a pipe, too
            for pid in [*executors, process.pid]:  # as one that is sent to a whole job
                os.kill(pid, number)
            patience.allow(tmp_path)
            errors = process.stderr.read()
        assert process.returncode == 128 + number, errors
        assert number.name in errors
        assert not executors_of(process.pid)
        state = Workdir(tmp_path).newest()
        assert 0 < state["run/env_steps"] < 512
    episodes = tmp_path / "episodes.bin"
    episodes.write_bytes(episodes.read_bytes() + b"of a run that went on and was killed")
    train(tmp_path)
    assert_same(tmp_path, reference[0], 8)


def test_killed_and_resumed_is_as_never_stopped(reference, tmp_path):
    """Before there is a checkpoint, and after; and no executor is left."""
    flags = [
        f"--workdir={tmp_path}",
        *SMALL_FOOTBALL,
        *patience.FLAGS,
        "--gin_bindings=Trainer.checkpoint_every_updates = 3",
        TWO_EXECUTORS,
    ]
    for rows in (1, 4):
        patience.allow(tmp_path, rows + 1)
        with command_line.start("hts_tf.train", *flags) as process:
            wait_for_rows(tmp_path, rows, process)
            executors = executors_of(process.pid)
            assert executors
            process.kill()
        assert process.returncode == -signal.SIGKILL
        for pid in executors:  # the kernel kills them with their parent
            subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], check=True)
        assert not executors_of(process.pid)
    train(tmp_path)
    assert_same(tmp_path, reference[0], 8)


@pytest.mark.parametrize(
    "damages", [["a flipped bit", "cut short"], ["killed while writing"]], ids=str
)
def test_damaged_checkpoints_cost_only_time(reference, tmp_path, damages):
    workdir = tmp_path / "run"
    shutil.copytree(reference[0], workdir)
    checkpoints = sorted((workdir / "checkpoints").iterdir())
    assert len(checkpoints) == 3
    for path, damage in zip(reversed(checkpoints), damages, strict=False):
        data = bytearray(path.read_bytes())
        if damage == "a flipped bit":
            data[len(data) // 3] ^= 1
        else:
            del data[len(data) // 2 :]
        path.write_bytes(data)
        if damage == "killed while writing":
            path.rename(path.with_suffix(".tmp"))
    code, _, errors = command_line.run("hts_tf.train", f"--workdir={workdir}", *SMALL_FOOTBALL)
    assert code == 0, errors
    refused = 0 if "killed while writing" in damages else len(damages)
    assert errors.count("damaged; passed over") == refused
    assert_same(workdir, reference[0], 8)


def test_second_signal_does_not_wait(tmp_path):
    flags = [
        "--scenario=synthetic",
        "--gin_bindings=Trainer.sync_interval = 100000",
        "--gin_bindings=Synthetic.mean_step_sec = 0.05",
    ]
    with command_line.start("hts_tf.train", f"--workdir={tmp_path}", *flags) as process:
        while not executors_of(process.pid):
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        while "SIGTERM" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        code, _, errors = command_line.finish(process)
    assert code == 143
    assert not errors
    assert not executors_of(process.pid)


def test_raising_environment_shows_its_traceback(tmp_path):
    (tmp_path / "raising.py").write_text(
        """
import gin
from hts_tf.environments import synthetic

@gin.configurable
class Raising(synthetic.Synthetic):
    def make(self):
        raise ArithmeticError("the simulator has a bad day")
"""
    )
    gin_file = tmp_path / "raising.gin"
    gin_file.write_text("import raising\nTrainer.environment = @Raising()\n")
    with command_line.start(
        "hts_tf.train",
        "--scenario=synthetic",
        f"--workdir={tmp_path / 'run'}",
        f"--gin_files={gin_file}",
        command_line.ONE_EXECUTOR,
        "--gin_bindings=Trainer.crash_limit = 2",
        pythonpath=[tmp_path],
    ) as process:
        code, _, errors = command_line.finish(process)
    assert code == 1
    assert "ArithmeticError: the simulator has a bad day" in errors
    assert "error: executor" in errors.splitlines()[-1]
    assert not executors_of(process.pid)


def test_evaluate_writes_what_it_prints(reference):
    workdir, _ = reference
    code, output, errors = command_line.run(
        "hts_tf.evaluate", f"--workdir={workdir}", "--episodes=3"
    )
    assert code == 0, errors
    with (workdir / "evaluation_000008_sampled_seed0_episodes3.csv").open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    assert len(scores) == 3
    assert f"score: mean {sum(scores) / 3:.3f}" in output
    records = archive.read(workdir / "evaluation_000008_sampled_seed0_episodes3.bin")
    assert [record.score for record in records] == scores, "whole goals"
    [events] = (workdir / "evaluation").iterdir()
    assert b"GIF89a" in events.read_bytes()


def test_evaluate_says_how_it_went_whatever_becomes_of_the_video(reference, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(reference[0], workdir, ignore=shutil.ignore_patterns("evaluation"))
    (workdir / "evaluation").write_text("in the way")
    code, output, errors = command_line.run(
        "hts_tf.evaluate", f"--workdir={workdir}", "--episodes=1", f"--output={tmp_path / 'e.csv'}"
    )
    assert code == 0, errors
    assert "score: mean " in output
    assert "no video of the first episode: " in errors


def test_evaluate_does_not_write_over_what_the_training_wrote(reference):
    """Such as the episodes, which are beside a table."""
    workdir, bits = reference
    episodes = (workdir / archive.FILE_NAME).read_bytes()
    commands = [
        [policy, f"--output={workdir / name}"]
        for policy in (f"--workdir={workdir}", "--model=academy_empty_goal_close")
        for name in ("episodes.csv", fingerprint_log.TABLE)
    ]
    for code, _, errors in refusals.of("hts_tf.evaluate", "evaluate", commands):
        assert code == 2
        assert "is the training's" in errors
        assert len(errors.splitlines()) == 1, errors
    assert not (workdir / "episodes.csv").exists()
    assert (workdir / archive.FILE_NAME).read_bytes() == episodes
    assert fingerprints(workdir) == bits


def test_any_episode_can_be_replayed(reference, tmp_path):
    workdir, _ = reference
    records = archive.read(workdir / "episodes.bin")
    assert records
    assert sum(record.length for record in records) <= 512
    video = tmp_path / "best.mp4"
    code, output, errors = command_line.run(
        *("hts_tf.replay", f"--workdir={workdir}", "--best"),
        *("--last_step=9", f"--output={video}"),
    )
    assert code == 0, errors
    assert "score, return and length agree with the archive" in output
    assert video.read_bytes()[4:8] == b"ftyp"

    longest = max(records, key=lambda record: record.length)
    part = tmp_path / "part.gif"
    flags = [f"--workdir={workdir}", f"--output={part}", "--first_step=2", "--last_step=5"]
    code, output, errors = command_line.run(
        "hts_tf.replay", *flags, f"--episode={records.index(longest)}"
    )
    assert code == 0, errors
    with Image.open(part) as pictures:
        assert pictures.n_frames == 4

    tampered = longest._replace(score=longest.score + 1, actions=longest.actions[:-1])
    file = archive.Archive(tmp_path / "tampered.bin", 0)
    file.append([longest, tampered])
    file.close()
    flags = [f"--workdir={workdir}", f"--archive={tmp_path / 'tampered.bin'}", "--check_only"]
    same, other = refusals.of(
        "hts_tf.replay", "run", [[*flags, f"--episode={number}"] for number in range(2)]
    )
    assert same[0] == 0, same
    code, _, errors = other
    assert code == 1
    assert "goes on after the archive's last action" in errors
    assert f"score {tampered.score:g} in the archive, " in errors


def test_curves_of_a_finished_run(reference, tmp_path):
    picture = tmp_path / "curves.png"
    code, output, errors = command_line.run(
        "hts_tf.plot_curves",
        f"--workdirs={reference[0]}",
        f"--output={picture}",
        "--targets=0.8,7",
    )
    assert code == 0, errors
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "score 0.8 never" in output
    assert "score 7 never" in output
    with picture.with_suffix(".csv").open() as file:
        steps = [int(row["env_steps"]) for row in csv.DictReader(file)]
    assert steps[-1] == 512


def test_it_learns_the_synthetic_game(tmp_path):
    training.train(
        tmp_path,
        "--scenario=synthetic",
        "--gin_bindings=Trainer.total_env_steps = 80000",
        "--gin_bindings=Trainer.stop_at_score = 0.9",
        "--gin_bindings=PPO.learning_rate = 0.003",
    )
    assert training.score_of(tmp_path) > 0.9, "a random policy scores 0.25"


def test_a2c_learns_the_synthetic_game_and_goes_on_from_a_checkpoint(tmp_path):
    """With the delayed gradient, whose parameters a checkpoint has to keep, too."""
    flags = [
        "--method=hts_a2c",
        "--scenario=synthetic",
        "--gin_bindings=A2C.learning_rate = 0.01",
        "--gin_bindings=Trainer.total_env_steps = 24000",
        "--gin_bindings=Trainer.checkpoint_every_updates = 250",
    ]
    bits = training.train(tmp_path, *flags)
    assert training.score_of(tmp_path) > 0.9, "a random policy scores 0.25"

    newest = Workdir(tmp_path).newest()["run/updates"]
    *_, last = sorted((tmp_path / "checkpoints").iterdir())
    last.unlink()
    assert Workdir(tmp_path).newest()["run/updates"] < newest == 300
    assert training.train(tmp_path, *flags) == bits
