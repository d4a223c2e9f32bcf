"""Observers are told all, and change nothing."""

import csv
import json
import re
import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from hts_tf.files import archive
from hts_tf.files.curves import RunLog
from tests import command_line, patience
from tests.sameness import assert_same, wait_for_rows

pytestmark = pytest.mark.slow

HERE = command_line.ROOT / "tests" / "extensions"
NUM_UPDATES = 12
STEPS = 4 * 32  # of an update
GAME = [
    "--scenario=synthetic",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 32",
    f"--gin_bindings=Trainer.total_env_steps = {NUM_UPDATES * STEPS}",
    "--gin_bindings=Trainer.checkpoint_every_updates = 4",
    command_line.ONE_EXECUTOR,
]
OBSERVED = [f"--gin_files={HERE / 'witness.gin'}"]


def start(workdir, *flags):
    return command_line.start("hts_tf.train", f"--workdir={workdir}", *GAME, *flags)


def finish(process):
    code, output, errors = command_line.finish(process)
    assert code == 0, errors
    assert "Traceback" not in errors, errors
    return output, errors


def told_in(workdir):
    return [json.loads(line) for line in (workdir / "witness.jsonl").read_text().splitlines()]


def of(workdir, method):
    return [(env_steps, what) for m, env_steps, what in told_in(workdir) if m == method]


def table(workdir):
    with (workdir / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("calm") / "run"
    finish(start(workdir))
    return workdir


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("observed") / "run"
    finish(start(workdir, *OBSERVED, "--gin_bindings=Trainer.evaluate_every_updates = 6"))
    return workdir


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that an observer has stopped, and what it said."""
    workdir = tmp_path_factory.mktemp("stopped") / "run"
    stops = f"--gin_bindings=Witness.stops_after = {4 * STEPS}"
    seldom = "--gin_bindings=Trainer.evaluate_every_updates = 100"
    _, said = finish(start(workdir, *OBSERVED, stops, seldom))
    return workdir, said


def test_a_run_is_the_same_with_them(calm, observed):
    assert_same(observed, calm, NUM_UPDATES)


def test_they_are_told_all(observed):
    told = told_in(observed)
    assert told[0] == ["begin", 0, [NUM_UPDATES * STEPS, 4, True]]
    assert told[-1] == ["end", None, "finished"]
    assert [steps for steps, _ in of(observed, "after_update")] == [
        min(n + 1, NUM_UPDATES) * STEPS for n in range(1, NUM_UPDATES + 1)
    ]
    saved = of(observed, "after_checkpoint")
    assert [steps for steps, _ in saved] == [5 * STEPS, 9 * STEPS, NUM_UPDATES * STEPS]
    assert all(is_file for _, is_file in saved)
    evaluated = of(observed, "after_evaluation")
    assert [steps for steps, _ in evaluated] == [7 * STEPS, NUM_UPDATES * STEPS]
    episodes = [what for _, what in of(observed, "after_episode")]
    records = list(archive.read(observed / archive.FILE_NAME))
    assert len(episodes) == len(records)
    for (env, number, seed, score, episode_return, *rest), record in zip(
        episodes, records, strict=True
    ):
        assert (env, number, seed) == (record.env, record.episode, record.seed)
        assert (score, episode_return) == pytest.approx((record.score, record.episode_return))
        assert rest == [record.length, 0, "", []]


@pytest.mark.parametrize("source", ["witness", "table"])
def test_figures_are_those_of_tensorboard(observed, source):
    series = RunLog(observed).series
    rows = dict(of(observed, "after_update"))
    if source == "table":
        rows = {
            int(row.pop("env_steps")): {k: float(v) for k, v in row.items() if v}
            for row in table(observed)
        }
    assert len(rows) == NUM_UPDATES - 1  # the last two are at the same env step
    for steps, figures in rows.items():
        for name, value in figures.items():
            np.testing.assert_allclose(value, series[name][steps], rtol=1e-6, err_msg=name)
        assert {"episodes/score", "learner/entropy"} <= {*figures}
    assert sum("throughput/sps" in figures for figures in rows.values()) > NUM_UPDATES / 2


def test_killed_and_resumed(calm, tmp_path):
    """The table has each update once, though some are made twice."""
    patient = "--gin_bindings=Trainer.observers = (@Witness(), @CsvLog(), @Patient())"
    patience.allow(tmp_path, 7)
    with start(tmp_path, *OBSERVED, *patience.FLAGS, patient) as process:
        wait_for_rows(tmp_path, 6, process)
        process.kill()
        command_line.finish(process)
    # Other observers, with other bindings, are no other run.
    finish(start(tmp_path, *OBSERVED, "--gin_bindings=Witness.stops_after = 100_000"))
    begun = [steps for steps, _ in of(tmp_path, "begin")]
    assert begun[0] == 0
    assert begun[1] in (5 * STEPS, 9 * STEPS)
    steps = [int(row["env_steps"]) for row in table(tmp_path)]
    assert steps == sorted(steps)
    last = NUM_UPDATES * STEPS
    assert steps == [*range(2 * STEPS, last + 1, STEPS), last]


def test_one_that_asks_to_stop(calm, stopped, tmp_path):
    workdir, said = stopped
    assert "Witness asks to stop" in said
    assert [steps for steps, _ in of(workdir, "after_update")][-1] == 5 * STEPS
    assert told_in(workdir)[-1] == ["end", None, "stopped"]
    # Others take the run for ended: its last policy is among those that are evaluated.
    assert [steps for steps, _ in of(workdir, "after_evaluation")] == [5 * STEPS]
    shutil.copytree(workdir, tmp_path, dirs_exist_ok=True)
    _, errors = finish(start(tmp_path))  # without any, nor their module
    assert "results may differ" not in errors
    assert_same(tmp_path, calm, NUM_UPDATES)


def test_those_that_fail_are_told_no_more(calm, tmp_path):
    fails = {
        "FailsAfterUpdate": "after_update",
        "FailsAfterEpisode": "after_episode",
        "FailsBeforeCheckpoint": "before_checkpoint",
        "FailsAfterCheckpoint": "after_checkpoint",
        "FailsAtTheEnd": "end",
    }
    them = ", ".join(f"@{name}()" for name in fails)
    flags = [*OBSERVED, f"--gin_bindings=Trainer.observers = ({them}, @CsvLog())"]
    _, errors = finish(start(tmp_path, *flags))
    for name, moment in fails.items():
        assert f"{name}.{moment} has failed (RuntimeError: nothing to say of {moment})" in errors
    assert errors.count("nothing to say") == len(fails)
    assert_same(tmp_path, calm, NUM_UPDATES)
    assert len(table(tmp_path)) == NUM_UPDATES


def test_one_that_cannot_begin(tmp_path):
    process = start(tmp_path, *OBSERVED, "--gin_bindings=Witness.fails_in = 'begin'")
    code, _, errors = command_line.finish(process)
    assert code == 1
    assert errors.strip().endswith(
        "error: Witness.begin has failed: RuntimeError: nothing to say of begin "
        "(see docs/watching.md#figures-elsewhere)"
    )
    # Who mends that, by another configuration, may take the directory.
    assert not (tmp_path / "config.gin").exists()


def test_what_is_no_observer(tmp_path):
    flags = ["--gin_bindings=Trainer.observers = (@Synthetic(),)"]
    code, _, errors = command_line.finish(start(tmp_path, *flags))
    assert code == 2
    assert "Trainer.observers" in errors
    assert "Observer" in errors
    assert len(errors.strip().splitlines()) == 1


def test_a_damaged_table_is_refused(stopped, tmp_path):
    shutil.copytree(stopped[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "progress.csv").write_bytes(b"x,y\n1,2\n")
    code, _, errors = command_line.finish(start(tmp_path, *OBSERVED))
    assert code == 2
    assert "progress.csv is damaged" in errors


def test_the_example_of_the_documentation(tmp_path):
    text = (command_line.ROOT / "docs" / "watching.md").read_text()
    (code,) = re.findall(r"```python\n(# patience.py\n.*?)```", text, re.DOTALL)
    (tmp_path / "patience.py").write_text(code)
    flags = [
        *GAME,
        "--gin_bindings=Trainer.num_envs = 16",
        f"--gin_bindings=Trainer.total_env_steps = {NUM_UPDATES * 16 * 32}",
        "--gin_bindings=import patience",
        "--gin_bindings=Trainer.observers = (@Patience(), @CsvLog())",
        "--gin_bindings=Patience.env_steps = 512",
    ]
    run = tmp_path / "run"
    process = command_line.start(
        "hts_tf.train", f"--workdir={run}", *flags, pythonpath=[str(tmp_path)]
    )
    _, errors = finish(process)
    assert "Patience asks to stop" in errors
    assert 2 < len(table(run)) < NUM_UPDATES


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A run with all trackers that are installed."""
    workdir = tmp_path_factory.mktemp("tracked") / "run"
    trackers = {"wandb": "@WeightsAndBiases()", "mlflow": "@MLflow()"}
    them = ", ".join(tracker for module, tracker in trackers.items() if find_spec(module))
    finish(start(workdir, f"--gin_bindings=Trainer.observers = ({them},)"))
    return workdir


@pytest.mark.skipif(find_spec("wandb") is None, reason="the extra 'trackers' is not installed")
def test_weights_and_biases(calm, tracked):
    assert_same(tracked, calm, NUM_UPDATES)
    (written,) = (tracked / "wandb").glob("offline-run-*/run-*.wandb")
    content = written.read_bytes()
    for name in (b"learner/entropy", b"Trainer.num_envs", b"env_steps"):
        assert name in content


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra 'trackers' is not installed")
def test_mlflow(calm, tracked, tmp_path):
    """One that is taken up again is the same run there."""
    again = shutil.copytree(tracked, tmp_path / "run")
    finish(start(again, "--gin_bindings=Trainer.observers = (@MLflow(),)"))
    assert_same(again, calm, NUM_UPDATES)
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{again / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("hts_tf")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["Trainer.num_envs"] == "4"
    series = RunLog(tracked).series["learner/entropy"]
    logged = {
        m.step: m.value for m in client.get_metric_history(run.info.run_id, "learner/entropy")
    }
    assert logged == pytest.approx(series, rel=1e-6)
