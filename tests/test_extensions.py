"""What users add, each in a file of its own and with no edit of the package: see extensions/."""

import csv
import os
import signal

import numpy as np
import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files import archive, fingerprint_log
from tests import command_line, patience, refusals
from tests.sameness import assert_same, rows_of, wait_for_rows

pytestmark = pytest.mark.slow

NUM_UPDATES = 24
HERE = command_line.ROOT / "tests" / "extensions"
MODULES = "--modules=tests.extensions"

# Extension -> arrays of the storage that it brings; score of a random policy, and to be reached.
EXTENSIONS = {
    "forbidden": ({"observation/light", "observation/action_mask", "logits"}, 0.4, 0.6),
    "dial": ({"observation", "mean", "std"}, 0.25, 0.35),
    "far": ({"observation", "logits"}, 0.25, 0.4),
    "sensors": ({"observation/row", "observation/camera", "logits"}, 0.25, 0.4),
    "relay": ({"observation", "counts", "logits"}, 1.5, 2.0),
}


# In between, another policy is loaded, and with it other bindings.
AFTER_ANOTHER = """
import sys, hts_tf

policy = hts_tf.load(sys.argv[1], modules=["tests.extensions"])
hts_tf.load("academy_empty_goal_close")
print(*(record.score for record in policy.evaluate(3)))
"""


def start(extension, workdir, *flags):
    return command_line.start(
        "hts_tf.train",
        f"--workdir={workdir}",
        "--scenario=synthetic",
        f"--gin_files={HERE / extension}.gin",
        "--gin_bindings=Trainer.sync_interval = 32",
        f"--gin_bindings=Trainer.total_env_steps = {NUM_UPDATES * 32 * 16}",
        "--gin_bindings=PPO.learning_rate = 0.003",
        *flags,
    )


@pytest.fixture(scope="module", params=EXTENSIONS)
def trained(request, tmp_path_factory):
    """The name of an extension, and the workdir of a training with it."""
    workdir = tmp_path_factory.mktemp(request.param)
    code, _, errors = command_line.finish(start(request.param, workdir, command_line.ONE_EXECUTOR))
    assert code == 0, errors
    return request.param, workdir


def test_it_learns(trained):
    extension, workdir = trained
    arrays, _, reached = EXTENSIONS[extension]
    with (workdir / fingerprint_log.TABLE).open() as file:
        assert arrays < set(next(csv.reader(file)))
    scores = [record.score for record in archive.read(workdir / archive.FILE_NAME)]
    assert np.mean(scores[-100:]) > max(reached, np.mean(scores[:100]) + 0.05)


def test_killed_and_resumed_is_as_never_stopped(trained, tmp_path):
    """And with other numbers of executors, of which statistics do not depend either."""
    extension, workdir = trained
    patience.allow(tmp_path, 3)
    with start(extension, tmp_path, *patience.FLAGS) as process:
        wait_for_rows(tmp_path, 2, process)
        os.kill(executors_of(process.pid)[0], signal.SIGKILL)
        patience.allow(tmp_path, 7)
        wait_for_rows(tmp_path, 6, process)
        process.send_signal(signal.SIGTERM)
        patience.allow(tmp_path)
        code, _, errors = command_line.finish(process)
    assert code == 128 + signal.SIGTERM, errors
    assert "was killed by SIGKILL" in errors
    assert 6 <= rows_of(tmp_path) < NUM_UPDATES
    code, _, errors = command_line.finish(start(extension, tmp_path, command_line.ONE_EXECUTOR))
    assert code == 0, errors
    assert_same(tmp_path, workdir, NUM_UPDATES)


@pytest.mark.parametrize("trained", ["far"], indirect=True)
def test_a_policy_is_evaluated_with_the_statistics_that_it_was_trained_with(trained):
    _, workdir = trained
    code, _, errors = command_line.run(
        "hts_tf.evaluate", f"--workdir={workdir}", "--episodes=50", MODULES
    )
    assert code == 0, errors
    scores = np.genfromtxt(next(workdir.glob("evaluation_*.csv")), delimiter=",", names=True)
    assert scores["score"].mean() > 0.4


@pytest.mark.parametrize("trained", ["dial"], indirect=True)
def test_actions_that_are_arrays_can_be_evaluated_and_replayed(trained):
    _, workdir = trained
    code, output, errors = command_line.run(
        "hts_tf.evaluate", f"--workdir={workdir}", "--episodes=3", MODULES
    )
    assert code == 0, errors
    assert "3 episodes with the policy of" in output
    [table] = workdir.glob("evaluation_*.csv")
    expected = np.genfromtxt(table, delimiter=",", names=True)["score"]
    code, output, errors = command_line.run("tests.program", AFTER_ANOTHER, workdir)
    assert code == 0, errors
    np.testing.assert_allclose(np.array(output.split(), float), expected, rtol=1e-6)
    flags = [f"--workdir={workdir}", "--check_only", "--best", MODULES]
    archives = workdir / archive.FILE_NAME, next(workdir.glob("evaluation_*.bin"))
    commands = [[*flags, f"--archive={path}"] for path in archives]
    for code, output, errors in refusals.of("hts_tf.replay", "run", commands):
        assert code == 0, errors
        assert "agree with the archive" in output
