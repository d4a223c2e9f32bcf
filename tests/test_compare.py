"""The grid through the command line, on the game that is learned in seconds."""

import csv
import itertools
import time

import pytest

from hts_tf.files import checkpoint
from hts_tf.files.curves import RunLog, read_curve
from hts_tf.files.workdir import Workdir
from hts_tf.watching import tensorboard_log
from tests import command_line, refusals, too_rich
from tests.processes import is_alive, training_processes

pytestmark = pytest.mark.slow

# hts_ppo reaches both targets; a2c learns nothing, and a random policy scores 0.5. Steps take time,
# so that an early stop, or an interruption, comes long before the end.
BINDINGS = [
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 6000",
    command_line.ONE_EXECUTOR,
    "--gin_bindings=Synthetic.num_actions = 2",
    "--gin_bindings=Synthetic.episode_steps = 4",
    "--gin_bindings=Synthetic.mean_step_sec = 0.0015",
    "--gin_bindings=PPO.learning_rate = 0.01",
    "--gin_bindings=A2C.learning_rate = 1e-6",
]
FLAGS = ["--targets=0.8,0.4", *BINDINGS]
TOTAL = 6016  # whole updates


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def event_files(workdir):
    return len(list(workdir.glob("events*")))


def test_a_grid_that_is_interrupted(tmp_path):
    output = tmp_path / "grid"
    names = ["synthetic-a2c-seed3", "synthetic-hts_ppo-seed3"]
    command = [
        "hts_tf.compare",
        "--scenarios=synthetic",
        "--methods=a2c,hts_ppo",
        "--seeds=3",
        f"--output={output}",
        *FLAGS,
    ]
    with command_line.start(*command) as process:
        while not RunLog(output / names[0]).env_steps:
            assert process.poll() is None
            time.sleep(0.05)
        processes = training_processes(process.pid)
        assert processes
        process.terminate()
        code, printed, errors = command_line.finish(process)
    assert (code, printed) == (143, ""), errors
    assert errors.splitlines() == [f"stopping {names[0]} at its next sync point (again: at once)"]
    assert not any(map(is_alive, processes))
    [interrupted] = read(output / "runs.csv")
    assert (interrupted["method"], interrupted["ended"]) == ("a2c", "unfinished")
    assert 0 < int(interrupted["env_steps"]) < TOTAL

    [(code, printed, errors)] = refusals.checked_here("compare", [command[1:]])
    assert code == 0, errors
    for number, name in enumerate(names, 1):
        assert f"{number} of 2, {name}: score 0.4 after " in printed
    a2c, hts_ppo = read(output / "runs.csv")
    assert (a2c["ended"], int(a2c["env_steps"])) == ("env_steps", TOTAL)
    assert hts_ppo["ended"] == "reached"
    assert int(hts_ppo["env_steps"]) < TOTAL
    assert a2c["policy_lag"] == "0"
    assert 0.5 < float(hts_ppo["policy_lag"]) < 1  # 0 in the first update, 1 from then on
    assert [event_files(output / name) for name in names] == [2, 1]
    shares = read(output / "time_shares.csv")
    assert len(shares) == 2 * 10
    assert {row["role"] for row in shares} == {"executor", "actor", "learner"}

    # All is there: nothing is trained, and nothing changes.
    tables = {path: path.read_bytes() for path in output.glob("*.csv")}
    assert len(tables) == 3
    assert command_line.run(*command) == (0, printed, "")
    assert {path: path.read_bytes() for path in output.glob("*.csv")} == tables
    assert [event_files(output / name) for name in names] == [2, 1]

    # The interrupted run is as if it had never been stopped.
    workdir = tmp_path / "reference"
    train = ["--scenario=synthetic", "--method=a2c", "--seed=3", f"--workdir={workdir}", *BINDINGS]
    fast = "--gin_bindings=Synthetic.mean_step_sec = 0"  # which draws nothing
    code, _, errors = command_line.run("hts_tf.train", *train, fast)
    assert code == 0, errors
    curve = read_curve(workdir)
    rows = [row for row in read(output / "scores.csv") if row["method"] == "a2c"]
    assert [(row["env_steps"], row["score"], row["finished_episodes"]) for row in rows] == [
        (str(steps), f"{score:.6g}", f"{finished:.0f}")
        for steps, score, finished in zip(curve.env_steps, curve.score, curve.finished, strict=True)
    ]
    for before, after in itertools.pairwise(rows):
        assert float(before["seconds"]) < float(after["seconds"])


def test_a_run_goes_on_to_a_score_above_the_targets(tmp_path):
    flags = ["--scenarios=synthetic", "--methods=hts_ppo", f"--output={tmp_path}", *FLAGS]
    # Updates take longer than it is between two looks at the run.
    slow = "--gin_bindings=Synthetic.mean_step_sec = 0.01"
    flags += [slow, "--gin_bindings=Trainer.stop_at_score = 0.9"]
    [(code, _, errors)] = refusals.checked_here("compare", [flags])
    assert code == 0, errors
    [row] = read(tmp_path / "runs.csv")
    assert row["ended"] == "reached"
    assert float(row["score"]) >= 0.9
    for events in (tmp_path / "synthetic-hts_ppo-seed0").glob("events*"):
        events.unlink()
    code, _, errors = command_line.run("hts_tf.compare", *flags)
    assert code == 1
    assert (
        "synthetic-hts_ppo-seed0: the training has ended, but there is nothing of it in" in errors
    )


def test_a_run_that_was_killed_after_its_last_env_step_goes_on_to_its_end(tmp_path):
    flags = ["--scenarios=synthetic", "--methods=hts_ppo", f"--output={tmp_path}"]
    flags += [*BINDINGS, "--gin_bindings=Trainer.total_env_steps = 128", "--targets=2"]
    flags += ["--gin_bindings=Trainer.checkpoint_every_updates = 1"]
    flags += ["--gin_bindings=Trainer.keep_checkpoints = 2"]
    run = tmp_path / "synthetic-hts_ppo-seed0"
    [(code, _, errors)] = refusals.checked_here("compare", [flags])
    assert code == 0, errors
    made = checkpoint.paths(run / "checkpoints")
    made[0].unlink()
    assert not Workdir(run).ending()
    assert RunLog(run).env_steps == 128
    code, printed, errors = command_line.run("hts_tf.compare", *flags)
    assert code == 0, errors
    assert "1 of 1, synthetic-hts_ppo-seed0: score 2 never; ended (env_steps)" in printed
    assert checkpoint.paths(run / "checkpoints") == made
    assert event_files(run) == 2

    # Who has removed its checkpoints has not to make it again; what could not write any has.
    for path in made:
        path.unlink()
    assert command_line.run("hts_tf.compare", *flags) == (0, printed, "")
    assert event_files(run) == 2
    board = tensorboard_log.TensorBoard(run)
    board.restart(128)
    board.scalars(128, {"run/minutes": 1.0})
    board.close()
    code, _, errors = command_line.run("hts_tf.compare", *flags)
    assert code == 0, errors
    assert checkpoint.paths(run / "checkpoints") == made
    assert event_files(run) == 4


def test_a_run_that_an_observer_has_ended_stays_as_it_is(tmp_path):
    flags = ["--scenarios=synthetic", "--methods=hts_ppo", f"--output={tmp_path}", "--targets=2"]
    flags += [f"--gin_files={command_line.ROOT / 'tests/extensions/witness.gin'}", *BINDINGS]
    flags += ["--gin_bindings=Witness.stops_after = 192"]
    [first] = refusals.checked_here("compare", [flags])
    assert first[0] == 0, first
    [row] = read(tmp_path / "runs.csv")
    assert (row["ended"], row["env_steps"]) == ("stopped", "256")
    assert command_line.run("hts_tf.compare", *flags) == (*first[:2], "")
    assert event_files(tmp_path / "synthetic-hts_ppo-seed0") == 1


def test_one_that_diverges_is_no_end(tmp_path):
    gin_file, output = too_rich.write(tmp_path), tmp_path / "grid"
    flags = ["--scenarios=synthetic", f"--gin_files={gin_file}", f"--output={output}", *FLAGS]
    for methods in (["ppo", "hts_a2c"], ["ppo"]):  # which stays as it is
        commands = [[*flags, f"--methods={','.join(methods)}"]]
        [(code, printed, errors)] = refusals.checked_here(
            "compare", commands, pythonpath=[tmp_path]
        )
        assert code == 0, errors
        assert errors.count("made parameters that are not finite") == len(methods)
        count = len(methods)
        assert f"1 of {count}, synthetic-ppo-seed0: score 0.4 never; " in printed
        assert f"{count} of {count}, synthetic-{methods[-1]}-seed0: " in printed
        rows = [(row["method"], row["ended"]) for row in read(output / "runs.csv")]
        assert rows == [(method, "diverged") for method in methods]
        assert event_files(output / "synthetic-ppo-seed0") == 1


REFUSED = [
    ("--methods=hts_ppo,pp", "unknown method 'pp'"),
    ("--minutes=0", "--minutes"),
    ("--targets=0.4,high", "--targets=0.4,high are no numbers"),
    ("--minutes=nan", "--minutes must be a number, not nan"),
    ("--gin_bindings=Trainer.num_env = 3", "synthetic-hts_ppo-seed0: "),
    # Not when its turn has come: the others could be trained.
    ("--gin_bindings=Trainer.reward_scaling = @ReturnScaling", "synthetic-impala-seed0: "),
]

SELF_PLAY = [
    *("--scenarios=5_vs_5", "--methods=hts_ppo_fast"),
    "--gin_bindings=Football.right_players = 1",
]


def test_policies_that_play_against_themselves_have_no_scores_to_reach(tmp_path):
    [result] = refusals.checked_here("compare", [[*SELF_PLAY, f"--output={tmp_path / 'grid'}"]])
    refusals.check(result, "a policy that plays against itself, or its past, has no score to go by")


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What each of these commands comes to, and the directory for its output."""
    outputs = [tmp_path_factory.mktemp("refused") / "grid" for _ in REFUSED]
    commands = [
        ["--scenarios=synthetic", f"--output={output}", flag]
        for (flag, _), output in zip(REFUSED, outputs, strict=True)
    ]
    return list(zip(refusals.checked_here("compare", commands), outputs, strict=True))


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refuses(refused, number, says):
    result, output = refused[number]
    refusals.check(result, says)
    assert not output.exists()


@pytest.mark.parametrize(("flag", "says"), [REFUSED[-1], ("extra", "extra")])
def test_what_is_refused_ends_the_command(tmp_path, flag, says):
    output = tmp_path / "grid"
    command = ["hts_tf.compare", "--scenarios=synthetic", f"--output={output}", flag]
    refusals.check(command_line.run(*command), says)
    assert not output.exists()


def test_what_cannot_be_trained_is_found_before_another_goes_on(tmp_path):
    flags = ["--scenarios=synthetic", f"--output={tmp_path}", *FLAGS]
    flags += ["--gin_bindings=Trainer.reward_scaling = @ReturnScaling"]
    begun = Workdir(tmp_path / "synthetic-hts_ppo-seed0")
    begun.config.parent.mkdir()
    begun.config.write_text("# of a run that has begun")
    [result] = refusals.checked_here("compare", [[*flags, "--methods=hts_ppo,impala"]])
    refusals.check(result, "synthetic-impala-seed0: ")
    assert not (tmp_path / "runs.csv").exists()
