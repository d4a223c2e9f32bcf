"""Bad input: one line, exit code 2, before any process is started."""

import shutil

import pytest

from tests import command_line

pytestmark = pytest.mark.slow

BAD_FLAGS = [
    ("--scenario=academy_3_vs_1", "academy_3_vs_1_with_keeper"),
    ("--method=htsppo", "did you mean hts_ppo"),
    ("--gin_bindings=Trainr.num_envs = 3", "Trainr"),
    ("--gin_bindings=Trainer.num_env = 3", "num_env"),
    ("--gin_bindings=Trainer.sync_interval = 0", "Trainer.sync_interval"),
    ("--gin_bindings=Trainer.num_actors = 0", "Trainer.num_actors"),
    ("--gin_bindings=Trainer.num_executors = 17", "Trainer.num_executors"),
    ("--gin_bindings=Trainer.num_envs = 'four'", "Trainer.num_envs"),
    ("--gin_bindings=Trainer.checkpoint_every_updates = 0", "Trainer.checkpoint_every_updates"),
    ("--gin_bindings=PPO.num_minibatches = 7", "PPO.num_minibatches"),
    ("--gin_bindings=Trainer.sync_interval = 1000000000000", "bytes"),
    ("--gin_files=/nowhere/my.gin", "/nowhere/my.gin"),
    ("--workdir=/dev/null/run", "--workdir"),
]


def assert_refused(finished, says):
    code, output, errors = finished
    assert code == 2, (output, errors)
    assert len(errors.splitlines()) == 1, errors
    assert says in errors
    assert not output


@pytest.mark.parametrize(("flag", "says"), BAD_FLAGS)
def test_bad_flags(tmp_path, flag, says):
    finished = command_line.run(
        "hts_tf.train", f"--workdir={tmp_path}", "--scenario=synthetic", flag
    )
    assert_refused(finished, says)
    assert not list(tmp_path.glob("*"))


def test_workdirs_that_do_not_fit(tmp_path):
    flags = [
        "--scenario=synthetic",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=Trainer.sync_interval = 4",
        "--gin_bindings=PPO.num_minibatches = 2",
        "--gin_bindings=Trainer.total_env_steps = 16",
    ]
    workdir = tmp_path / "run"
    train = ["hts_tf.train", f"--workdir={workdir}", *flags]
    code, _, errors = command_line.run(*train)
    assert code == 0, errors

    finished = command_line.run(*train, "--gin_bindings=PPO.clip = 0.2")
    assert_refused(finished, "PPO.clip = 0.08 there, 0.2 now")
    assert_refused(command_line.run(*train, "--seed=3"), "--seed = 0 there, 3 now")

    other = tmp_path / "other_network"
    code, _, errors = command_line.run(
        "hts_tf.train", f"--workdir={other}", *flags, "--gin_bindings=mlp.units = (8,)"
    )
    assert code == 0, errors
    shutil.copytree(workdir / "checkpoints", other / "checkpoints", dirs_exist_ok=True)
    finished = command_line.run(
        "hts_tf.train", f"--workdir={other}", *flags, "--gin_bindings=mlp.units = (8,)"
    )
    assert_refused(finished, "another network")

    for path in (workdir / "checkpoints").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    code, _, errors = command_line.run(*train)
    assert code == 2
    assert "damaged" in errors.splitlines()[-1]
