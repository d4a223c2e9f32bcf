"""Sweeps through the command line, on the game that is learned in seconds."""

import csv
import shutil
import time

import pytest

from hts_tf import operative
from hts_tf.files.curves import RunLog
from hts_tf.sweeping import record
from tests import command_line, refusals, too_rich
from tests.processes import is_alive, training_processes

pytestmark = pytest.mark.slow

FLAGS = [
    "--scenarios=synthetic",
    "--search=PPO.learning_rate = log(1e-6, 1e-1)",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 1000",
    command_line.ONE_EXECUTOR,
    "--gin_bindings=Synthetic.num_actions = 2",
    "--gin_bindings=Synthetic.episode_steps = 4",
]

MINUTES = ["--minutes=0.02", "--trials=2"]


def trials(output):
    """What of a sweep's table is the same each time."""
    with (output / record.TRIALS).open() as file:
        rows = list(csv.DictReader(file))
    return [{k: row[k] for k in row if k not in ("env_steps", "minutes")} for row in rows]


def test_a_sweep_that_is_interrupted_and_made_again_elsewhere(tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    command = ["hts_tf.sweep", *FLAGS, "--trials=2", "--at_once=2"]
    slow = "--gin_bindings=Synthetic.mean_step_sec = 0.01"
    with command_line.start(*command, slow, f"--output={first}") as process:
        while not RunLog(first / "trial-0000/synthetic-hts_ppo-seed0").env_steps:
            assert process.poll() is None
            time.sleep(0.05)
        processes = training_processes(process.pid)
        process.terminate()
        code, printed, errors = command_line.finish(process)
    assert (code, printed) == (143, ""), errors
    assert "stopping trial 0, synthetic-hts_ppo-seed0 at its next sync point" in errors
    assert not any(map(is_alive, processes))
    [(code, printed, errors)] = refusals.checked_here(
        "sweep", [[*command[1:], slow, f"--output={first}"]]
    )
    assert code == 0, errors
    assert printed.count("\ntrial ") + printed.startswith("trial ") == 2
    found = trials(first)
    assert [row["trial"] for row in found] == list("01")
    assert (first / record.BEST).read_text().count("PPO.learning_rate = ") == 1
    page = (first / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert all(row["PPO.learning_rate"] in page for row in found)

    # The pace is part of what a sweep is, but not of what comes out.
    [(code, _, errors)] = refusals.checked_here(
        "sweep", [[*command[1:], "--processes=2", f"--output={again}"]]
    )
    assert code == 0, errors
    assert trials(again) == found

    # Nothing is left to do but more trials; with another pace it would be another sweep.
    workdirs = sorted(again.glob("trial-*/*/events*"))
    commands = [[*command[1:], f"--output={again}"], [*command[1:], slow, f"--output={again}"]]
    nothing_left, another = refusals.checked_here("sweep", commands)
    assert (nothing_left[0], trials(again)) == (0, found), nothing_left
    assert sorted(again.glob("trial-*/*/events*")) == workdirs
    assert another[0] == 2
    assert "holds a sweep with gin files and bindings" in another[2]


@pytest.fixture(scope="module")
def two_sweeps(tmp_path_factory):
    """What a sweep that diverges comes to, and one of minutes, and the directories of both."""
    directory = tmp_path_factory.mktemp("sweeps")
    diverging, minutes = (directory / name for name in ("diverging", "minutes"))
    too_rich_file = too_rich.write(directory)
    commands = [
        [*FLAGS, "--trials=1", f"--gin_files={too_rich_file}", f"--output={diverging}"],
        [*FLAGS, *MINUTES, f"--output={minutes}"],
    ]
    results = refusals.checked_here("sweep", commands, pythonpath=[directory])
    return list(zip(results, (diverging, minutes), strict=True))


def test_one_that_diverges_is_no_end(two_sweeps):
    (code, _, errors), output = two_sweeps[0]
    assert code == 0, errors
    assert "made parameters that are not finite" in errors
    [row] = trials(output)
    assert row["state"] == "diverged"


def test_minutes(two_sweeps):
    (code, _, errors), output = two_sweeps[1]
    assert code == 0, errors
    assert [row["state"] for row in trials(output)] == ["complete"] * 2
    assert "minutes" in (output / "report.html").read_text()


def test_results_never_go_backwards(two_sweeps, tmp_path):
    """As where the sweep is made again, and another Optuna draws other values at last."""
    output = shutil.copytree(two_sweeps[1][1], tmp_path / "sweep")
    before = [(output / name).read_bytes() for name in (record.TRIALS, record.BEST)]
    (output / "trial-0001" / "drawn.gin").write_text("PPO.learning_rate = 1.0")
    [(code, _, errors)] = refusals.checked_here("sweep", [[*FLAGS, *MINUTES, f"--output={output}"]])
    assert code == 2
    assert "drawn now: by another Optuna or numpy?" in errors
    assert [(output / name).read_bytes() for name in (record.TRIALS, record.BEST)] == before


REFUSED = [
    (["--search=PPO.learning_rat = log(1e-5, 1e-4)"], "learning_rat"),
    (["--search=PPO.discount = between(0.9, 1.5)"], "with PPO.learning_rate = 1e-06, PPO.disc"),
    (["--search=PPO.epochs = between(1, 6)"], "PPO.epochs = 1.0: must be a whole number"),
    (["--minutes=nan"], "--minutes must be a number, not nan"),
    (["--minutes=inf"], "--minutes"),
    (["--search=Trainer.total_env_steps = whole(1000, 2000)"], "total_env_steps"),
    (["--search=PPO.clip = 0.1"], "NAME = KIND"),
    (["--space=nowhere.txt"], "--space: "),
    (["--seeds=x"], "--seeds"),
    (["--search=envs = one_of(4, 8)"], "nothing refers to %envs"),
    (
        [
            "--search=ActorCritic.core = one_of(None, @gru)",
            "--gin_bindings=ActorCritic.value_torso = @mlp",
        ],
        "ActorCritic.core = @gru: ActorCritic.value_torso has no memory",
    ),
    (["--search=PPO.num_minibatches = one_of(2, 65)"], "PPO.num_minibatches = 65 does not divide"),
    (["--processes=2"], "--processes=2 needs --at_once=2 or more"),
    (["--draw=5000000000"], "--draw=5000000000"),
    (["--scenarios=nowhere"], "unknown scenario 'nowhere'"),
    (["--scenarios=synthetic,CartPole-v1"], "scores of these are not on one scale"),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What each of these commands comes to, and the directory for its output."""
    outputs = [tmp_path_factory.mktemp("refused") / "sweep" for _ in REFUSED]
    commands = [
        [*command_line.replaced(FLAGS, flags), f"--output={output}"]
        for (flags, _), output in zip(REFUSED, outputs, strict=True)
    ]
    return list(zip(refusals.checked_here("sweep", commands), outputs, strict=True))


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refuses(refused, number, says):
    result, output = refused[number]
    refusals.check(result, says)
    assert not output.exists()


def test_what_is_refused_ends_the_command(tmp_path):
    flags, says = REFUSED[0]
    command = ["hts_tf.sweep", *FLAGS, *flags, f"--output={tmp_path / 'sweep'}"]
    refusals.check(command_line.run(*command), says)


def test_what_the_environment_chooses_differs_with_what_is_searched_of_it(tmp_path):
    """Here the action head, as one game is played by choices, and the other one by numbers."""
    flags = [
        *("--scenarios=CartPole-v1", "--trials=3", f"--output={tmp_path}"),
        "--search=Gymnasium.id = one_of('CartPole-v1', 'Pendulum-v1')",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=Trainer.sync_interval = 64",
        "--gin_bindings=Trainer.total_env_steps = 1024",
        command_line.ONE_EXECUTOR,
    ]
    [(code, _, errors)] = refusals.checked_here("sweep", [flags])
    assert code == 0, errors
    heads = {
        operative.bindings(path.read_text())["ActorCritic.head"].text
        for path in tmp_path.glob("trial-*/*/config.gin")
    }
    assert heads == {"@Categorical", "@Gaussian"}
