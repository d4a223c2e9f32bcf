"""Bad input: one line, exit code 2, before any process is started."""

import json
import shutil

import numpy as np
import pytest

from hts_tf.files import checkpoint, fingerprint_log
from hts_tf.files.workdir import Workdir
from tests import command_line, refusals

pytestmark = pytest.mark.slow

BAD_FLAGS = [
    ("--scenario=academy_3_vs_1", "academy_3_vs_1_with_keeper"),
    ("--method=htsppo", "did you mean hts_ppo"),
    ("--gin_bindings=Trainr.num_envs = 3", "did you mean Trainer "),
    ("--gin_bindings=Trainer.num_env = 3", "did you mean num_envs"),
    (
        "--gin_bindings=Trainer.reward_scaling = ReturnScaling",
        "error: Failed to parse token 'ReturnScaling' (line 1): a word is written 'ReturnScaling', "
        "a class or function @ReturnScaling\n",
    ),
    ("--gin_bindings=Trainer.fingerprints = false", "token 'false' (line 1); did you mean False?"),
    ("--gin_bindings=CsvLog.foo = 3", "'foo'. In bindings string line 1 CsvLog.foo = 3\n"),
    ("--gin_bindings=PPO.foo = 3", "known are adam_epsilon, bootstrap_truncated, clip, "),
    ("--gin_bindings=Curriculum.rule = @by_progres", "did you mean by_progress"),
    ("--gin_bindings=Trainer.sync_interval = 0", "Trainer.sync_interval"),
    ("--gin_bindings=Trainer.num_actors = 0", "Trainer.num_actors"),
    ("--gin_bindings=Trainer.num_executors = 17", "Trainer.num_executors"),
    ("--gin_bindings=Trainer.num_envs = 'four'", "Trainer.num_envs"),
    ("--gin_bindings=Trainer.checkpoint_every_updates = 0", "Trainer.checkpoint_every_updates"),
    ("--gin_bindings=PPO.num_minibatches = 7", "PPO.num_minibatches"),
    ("--gin_bindings=Trainer.sync_interval = 1000000000000", "bytes"),
    ("--gin_bindings=mlp.units = (64)", "mlp.units = 64: must be a tuple or list"),
    ("--gin_bindings=mlp.units = (" + 256 * "4096, " + ")", "bytes of memory are needed"),
    ("--gin_bindings=mlp.units = (64,", "before a bracket or string is closed"),
    ("--gin_bindings=ActorCritic.torso = @nature_cnn", "is for an image, not for an array (4,)"),
    ("--gin_bindings=ActorCritic.head = @mlp", "must be a maker of ActionHead"),
    ("--gin_bindings=Trainer.algorithm = @PPO", "Trainer.algorithm = @PPO: must be of type"),
    ("--gin_bindings=Trainer.schedule = @HTS()", "Trainer.schedule = @HTS(): "),
    ("--gin_bindings=Trainer.fingerprints = @Synthetic", "must be True or False"),
    ("--gin_bindings=Trainer.num_actors = True", "Trainer.num_actors = True: must be a whole"),
    ("--gin_bindings=Trainer.num_actors = 1000000000", "from 1 to 1,024"),
    ("--gin_bindings=Trainer.num_envs = 16.0", "Trainer.num_envs = 16.0: must be a whole"),
    ("--gin_bindings=Trainer.step_timeout_sec = 1e999", "Trainer.step_timeout_sec = inf: must"),
    ("--gin_bindings=PPO.value_cost = 'x'", "PPO.value_cost = 'x': must be a number from 0"),
    ("--gin_bindings=PPO.entropy_cost = -1", "PPO.entropy_cost = -1: must be a number from 0"),
    ("--gin_bindings=PPO.bootstrap_truncated = 'False'", "must be True or False"),
    ("--gin_bindings=A2C.discount = 2", "A2C.discount = 2: must be"),  # which nobody calls
    ("--gin_bindings=a/PPO.clip = 1", "a/PPO.clip: scopes have no effect here"),
    ("--gin_bindings=HTS.num_envs = 1", "num_envs"),
    ("--gin_bindings=PPO.clip = %nowhere", "nowhere"),
    ("--gin_bindings=PPO.clip = @PPO()", "recursion"),
    ("--gin_bindings=import nowhere", "No module named 'nowhere'"),
    ("--gin_bindings=import hts_tf.evaluate", "DuplicateFlagError: The flag 'workdir' is"),
    ("--gin_files=/nowhere/my.gin", "/nowhere/my.gin"),
    ("--workdir=/dev/null/run", "--workdir"),
    ("--trace_intervals=3", "--trace_intervals is of --trace: add it"),
    ("--ray_address=10.9.9.9:6379", "--ray_address is of --num_machines: add it"),
    ("--machine_timeout_sec=9", "--machine_timeout_sec is of --num_machines: add it"),
    ("--gin_bindings=num_envs = 3", "did you mean Trainer.num_envs?"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Flag -> how the command finished that was given it, and the directory for its workdir."""
    directories = [tmp_path_factory.mktemp("refused") for _ in BAD_FLAGS]
    commands = [
        [f"--workdir={directory}", "--scenario=synthetic", flag]
        for directory, (flag, _) in zip(directories, BAD_FLAGS, strict=True)
    ]
    results = zip(refusals.of("hts_tf.train", "train", commands), directories, strict=True)
    return dict(zip((flag for flag, _ in BAD_FLAGS), results, strict=True))


@pytest.mark.parametrize(("flag", "says"), BAD_FLAGS)
def test_bad_flags(finished, flag, says):
    result, directory = finished[flag]
    refusals.check(result, says)
    assert not list(directory.glob("*"))


def test_a_bad_flag_ends_the_command(tmp_path):
    flag, says = BAD_FLAGS[0]
    refusals.check(command_line.run("hts_tf.train", f"--workdir={tmp_path}", flag), says)


SMALL = [
    "--scenario=synthetic",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 4",
    "--gin_bindings=PPO.num_minibatches = 2",
    command_line.ONE_EXECUTOR,
]


def warnings(errors):
    """Returns the lines but for the one that processors of some kinds get, whatever the run."""
    lines = errors.splitlines()
    return [line for line in lines if line and not line.startswith("warning: on this machine")]


def test_resumed_where_bits_differ(tmp_path):
    """Another machine, or another version, is played by changing what the first one left."""
    flags = [
        *SMALL,
        "--gin_bindings=Trainer.total_env_steps = 48",
        "--gin_bindings=Trainer.checkpoint_every_updates = 1",
    ]
    train = ["hts_tf.train", f"--workdir={tmp_path}", *flags]
    code, output, errors = command_line.run(*train)
    assert code == 0, errors
    assert not warnings(errors)
    says = output.splitlines()[0]
    assert says.startswith("reproducible to the bit with: hts_tf ")
    for name in ("tensorflow", "processor", "intra-op threads", "gfootball engine", "self-check"):
        assert name in says

    *_, before, last = sorted((tmp_path / "checkpoints").iterdir())
    last.unlink()
    state = checkpoint.load(before)
    scope = json.loads(state["run/scope"].item())
    state["run/scope"] = np.array(json.dumps({**scope, "keras": "1.2.3", "commit": "other"}))
    checkpoint.save(before.parent, int(before.stem), state, keep=3)
    table = tmp_path / fingerprint_log.TABLE
    honest = table.read_text()
    value = fingerprint_log.read_table(tmp_path)[3]["value"]
    table.write_text(honest.replace(value, "0123456789abcdef"))

    code, output, errors = command_line.run(*train)
    assert code == 0, errors
    whole = "not reproducible as a whole: parts of this run were made with another keras"
    assert output.splitlines()[0] == whole
    assert [made["keras"] for made in Workdir(tmp_path).scopes()] == ["1.2.3", scope["keras"]]
    of_scope, of_bits = warnings(errors)
    assert f"saved with keras 1.2.3, and goes on with {scope['keras']}: results may" in of_scope
    assert "update 3 differs, first in value" in of_bits
    assert table.read_text() == honest

    # Nothing more is made of it, so nothing in this scope, whatever it is.
    last = checkpoint.paths(before.parent)[0]
    state = checkpoint.load(last)
    made = json.loads(state["run/scope"].item())
    state["run/scope"] = np.array(json.dumps({**made, "keras": "1.2.3"}))
    state["run/earlier_scopes"] = np.array("[]")
    checkpoint.save(last.parent, int(last.stem), state, keep=3)
    code, output, errors = command_line.run(*train)
    assert code == 0, errors
    assert not warnings(errors)
    assert output.startswith("reproducible to the bit with: ")
    assert "keras 1.2.3;" in output.splitlines()[0]


def test_workdirs_that_do_not_fit(tmp_path):
    flags = [*SMALL, "--gin_bindings=Trainer.total_env_steps = 16"]
    workdir = tmp_path / "run"
    train = ["hts_tf.train", f"--workdir={workdir}", *flags]
    code, _, errors = command_line.run(*train)
    assert code == 0, errors

    macro = "--gin_bindings=Trainer.num_executors = %n"
    for number in (1, 2):  # it is no matter, whatever way it is written
        code, output, errors = command_line.run(
            *train, "--quiet", f"--gin_bindings=n = {number}", macro
        )
        assert code == 0, errors
        assert (output, warnings(errors)) == ("", [])
    other = tmp_path / "other_network"
    code, _, errors = command_line.run(
        "hts_tf.train",
        f"--workdir={other}",
        *flags,
        "--gin_bindings=mlp.units = (8,)",
        "--gin_bindings=Trainer.fingerprints = False",
    )
    assert code == 0, errors
    assert list(workdir.glob("fingerprints.*"))
    assert not list(other.glob("fingerprints.*"))
    shutil.copytree(workdir / "checkpoints", other / "checkpoints", dirs_exist_ok=True)
    damaged = tmp_path / "damaged"
    shutil.copytree(workdir, damaged)
    for path in (damaged / "checkpoints").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    cases = [
        (workdir, ["--gin_bindings=PPO.clip = 0.2"], "PPO.clip = 0.08 there, 0.2 now"),
        (workdir, ["--seed=3"], "--seed = 0 there, 3 now"),
        (
            workdir,
            ["--gin_bindings=Trainer.total_env_steps = 32"],
            f"--gin_bindings=\"Trainer.start_from = '{workdir}'\"",
        ),
        (other, ["--gin_bindings=mlp.units = (8,)"], "another network"),
        (damaged, [], "damaged"),
    ]
    commands = [[f"--workdir={path}", *flags, *further] for path, further, _ in cases]
    *results, of_damaged = refusals.of("hts_tf.train", "train", commands)
    for result, (*_, says) in zip(results, cases, strict=False):
        refusals.check(result, says)
    code, _, errors = of_damaged
    assert code == 2
    assert "damaged" in errors.splitlines()[-1]


LOST = """
import importlib, signal, sys, types
from absl import flags

train = importlib.import_module("hts_tf.train")  # not the function of that name

def run():
    raise train.MachineLostError("machine 1 is lost")

flags.FLAGS(["train", "--workdir=nowhere"])
signals = types.SimpleNamespace(received=signal.Signals(int(sys.argv[1])) if sys.argv[1:] else None)
train.build = lambda *_, **__: types.SimpleNamespace(run=run, signals=signals)
sys.exit(train._train(None, None))
"""


def test_who_has_asked_to_stop_does_not_wait_for_another_machine():
    code, _, errors = command_line.run("tests.program", LOST, 15)
    assert code == 143, errors
    assert errors.splitlines()[-1] == (
        "error: machine 1 is lost; stopped, the same command goes on from the last checkpoint"
    )
    assert "MachineLostError: machine 1 is lost" in command_line.run("tests.program", LOST)[2]
