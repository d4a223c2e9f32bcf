import re

import numpy as np
import pytest

from hts_tf.files.workdir import BY_OBSERVER, COMPLETE, Workdir
from hts_tf.opponents.members import Member, members
from tests import command_line, refusals

FLAGS = [
    "--scenario=academy_3_vs_1_with_keeper",
    *command_line.FOOTBALL_PLAYERS,
    "--gin_bindings=Football.right_players = 2",
    "--gin_bindings=Trainer.num_envs = 2",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 128",
    "--gin_bindings=PPO.epochs = 2",
    "--gin_bindings=mlp.units = (32,)",
    command_line.ONE_EXECUTOR,
    "--gin_bindings=Opponents.snapshot_every_updates = 2",
    "--gin_bindings=import tests.patience",
    "--generations=2",
]


def test_members():
    assert list(members(1)) == [Member("main-1", (), None)]
    assert list(members(3)) == [
        Member("main-1", (), None),
        Member("exploiter-1", ("main-1",), "main-1", exploits=True),
        Member("main-2", ("main-1", "exploiter-1"), "main-1"),
        Member("exploiter-2", ("main-2",), "main-2", exploits=True),
        Member("main-3", ("main-1", "exploiter-1", "main-2", "exploiter-2"), "main-2"),
    ]


def test_an_exploiter_meets_nobody_else(tmp_path):
    nobody_else = {
        "Opponents.self_play = 0.0",
        "Opponents.scripted = ()",
        "Opponents.snapshot_every_updates = None",
    }
    for member in members(3):
        bound = {*member.bindings(tmp_path)}
        assert (nobody_else <= bound) == member.exploits
        assert bool(nobody_else & bound) == member.exploits


@pytest.mark.slow
def test_a_league_and_again(tmp_path):
    directory = tmp_path / "league,once"
    code, output, errors = command_line.run("hts_tf.league", *FLAGS, f"--output={directory}")
    assert code == 0, errors
    assert re.search(
        r"'--workdirs=\"\S+main-1\",\"\S+exploiter-1\",\"\S+main-2\"' --modules=tests.patience "
        r"--output=\S+/tournament$",
        output.strip(),
    )
    parameters = {}
    for name in ("main-1", "exploiter-1", "main-2"):
        log = (directory / name / "log.txt").read_text()
        [parameters[name]] = re.findall(r"parameters (\w+)", log)
    assert len(set(parameters.values())) == 3
    every = "Opponents.snapshot_every_updates"
    for name, bound in (("main-1", 2), ("exploiter-1", None), ("main-2", 2)):
        assert f"{every} = {bound}\n" in (directory / name / "config.gin").read_text()
    frozen = directory / "main-2" / "snapshots" / "frozen"
    assert sorted(path.name for path in frozen.iterdir()) == ["000000000.ckpt", "000000001.ckpt"]
    # Complete runs stay as they are; what has gone is made again, to the same bits.
    checkpoints = sorted((directory / "exploiter-1").glob("checkpoints/*"))
    for path in (*checkpoints, directory / "exploiter-1" / "config.gin"):
        path.unlink()
    before = (directory / "main-2" / "episodes.bin").read_bytes()
    # One that an observer has ended could be gone on with, but is as it was met by others.
    main = Workdir(directory / "main-1")
    ended = {COMPLETE: np.array(False), BY_OBSERVER: np.array(True)}
    main.save(1000, {**main.newest(), **ended}, keep=1)
    printed = (main.path / "log.txt").read_text()
    again = f"--output={directory}/../{directory.name}"  # the same place, which is what counts
    code, _, errors = command_line.run("hts_tf.league", *FLAGS, again)
    assert code == 0, errors
    log = (directory / "exploiter-1" / "log.txt").read_text()
    assert re.findall(r"parameters (\w+)", log) == [parameters["exploiter-1"]] * 2
    assert (directory / "main-2" / "episodes.bin").read_bytes() == before
    assert (main.path / "log.txt").read_text() == printed
    others = [[*FLAGS, again, other] for other in ("--seed=1", "--method=hts_ppo")]
    for refused in refusals.of("hts_tf.league", "play", others):
        refusals.check(
            refused, "holds runs with other --scenario, --method, --seed, --gin_files or"
        )
    moved = directory.rename(tmp_path / "moved")
    code, _, errors = command_line.run("hts_tf.league", *FLAGS, f"--output={moved}")
    assert code == 2
    assert f"this league was begun as --output={directory}" in errors


def parameters(state):
    """Of the agent, which come before the optimizer's."""
    count = sum(name.startswith("variable/") for name in state)
    return [state[f"variable/{index}"] for index in range(count // 3)]


def optimizer(state):
    count = sum(name.startswith("variable/") for name in state)
    return [state[f"variable/{index}"] for index in range(count // 3, count)]


@pytest.mark.slow
def test_begins_as_another(tmp_path):
    """With a learning rate of next to nothing it stays that."""
    flags = [
        "--scenario=synthetic",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=Trainer.sync_interval = 16",
        "--gin_bindings=Trainer.total_env_steps = 256",
        command_line.ONE_EXECUTOR,
    ]
    first, second = tmp_path / "first", tmp_path / "second"
    code, _, errors = command_line.run("hts_tf.train", *flags, f"--workdir={first}")
    assert code == 0, errors
    start = f"--gin_bindings=Trainer.start_from = '{first}'"
    still = "--gin_bindings=PPO.learning_rate = 1e-20"
    code, _, errors = command_line.run("hts_tf.train", *flags, start, still, f"--workdir={second}")
    assert code == 0, errors
    states = [Workdir(path).newest() for path in (first, second)]
    for index in range(len(parameters(states[0]))):
        before, after = (parameters(state)[index] for state in states)
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-15)
    # The optimizer counts its steps, and goes on to count.
    whole = "--gin_bindings=Trainer.start_from_optimizer = True"
    third = tmp_path / "third"
    code, output, errors = command_line.run(
        "hts_tf.train", *flags, start, still, whole, f"--workdir={third}"
    )
    assert code == 0, errors
    assert f"begins with the policy of 4 updates of {first}" in output
    steps = [
        int(max(a for a in optimizer(s) if a.shape == () and a.dtype.kind == "i"))
        for s in (*states, Workdir(third).newest())
    ]
    assert steps == [steps[0], steps[0], 2 * steps[0]]
    code, _, errors = command_line.run(
        "hts_tf.train", *flags, f"{start[:-1]}@3'", f"--workdir={tmp_path / 'fourth'}"
    )
    assert code == 2
    assert "first@3: there is no such policy, but those of updates 4" in errors.splitlines()[-1]
    assert len(errors.splitlines()) == 1
