"""Rollout and learning in turns: which parameters collect what, and what a run promises."""

import os
import signal

import pytest

from hts_tf.algorithms import a2c
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files.curves import read_curve
from hts_tf.schedules import sync
from tests import command_line, patience, waiting
from tests.sameness import assert_same, rows_of
from tests.schedules import fakes
from tests.training import score_of, train, wait_for_progress

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_INTERVALS = 3

# Episodes end by truncation and at every place of the intervals; steps take uneven time.
GAME = [
    "--method=ppo",
    "--scenario=synthetic",
    "--gin_bindings=Synthetic.time_limit = True",
    "--gin_bindings=Synthetic.episode_steps = 7",
    "--gin_bindings=Synthetic.step_time = 'exponential'",
    "--gin_bindings=Synthetic.mean_step_sec = 0.002",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 32",
    "--gin_bindings=Trainer.total_env_steps = 1280",
    command_line.ONE_EXECUTOR,
]
PATIENT_GAME = [*GAME, *patience.FLAGS]


def test_every_interval_is_learnt_from_by_the_parameters_that_collected_it():
    collector, learner, rounds = fakes.run(sync.Sync, a2c.A2C(learning_rate=0.01), NUM_INTERVALS)
    assert [target for _, _, target in learner.seen] == collector.collected_by
    assert len(set(collector.collected_by)) == NUM_INTERVALS
    assert [r.policy_lag for r in rounds] == [0] * NUM_INTERVALS
    assert [rollout for rollout, _, _ in learner.seen] == [r.collected for r in rounds]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The workdir of a finished run of 10 updates."""
    workdir = tmp_path_factory.mktemp("reference")
    train(workdir, *GAME)
    return workdir


@pytest.mark.slow
def test_workers_do_not_change_bits(reference, tmp_path):
    """The reference has one executor; and one actor, too, whatever is bound."""
    flags = ["--gin_bindings=Trainer.num_executors = 3", "--gin_bindings=Trainer.num_actors = 1"]
    train(tmp_path, *GAME, *flags)
    assert_same(tmp_path, reference, 10)


@pytest.mark.slow
def test_hts_is_sync_with_a_lag_of_one_update(tmp_path):
    """To the bit: in what it learns from, and in what it learns."""
    hts = train(tmp_path / "hts", *GAME, "--method=hts_ppo")
    lagged = command_line.ROOT / "tests/extensions/lagged.gin"
    assert train(tmp_path / "lagged", *GAME, f"--gin_files={lagged}") == hts


@pytest.mark.slow
def test_a_killed_executor_a_stop_and_a_resumption_change_nothing(reference, tmp_path):
    patience.allow(tmp_path, 2)
    with command_line.start("hts_tf.train", f"--workdir={tmp_path}", *PATIENT_GAME) as process:
        wait_for_progress(process)
        [executor] = executors_of(process.pid)
        os.kill(executor, signal.SIGKILL)
        waiting.until(lambda: executors_of(process.pid) not in ([], [executor]))
        process.terminate()
        patience.allow(tmp_path)
        code, _, errors = command_line.finish(process)
    assert code == 128 + signal.SIGTERM, errors
    assert "was killed by SIGKILL" in errors
    assert rows_of(tmp_path) < 10
    train(tmp_path, *GAME)
    assert_same(tmp_path, reference, 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "learning_rate", "env_steps"),
    [("ppo", "PPO.learning_rate = 0.003", 50000), ("a2c", "A2C.learning_rate = 0.01", 24000)],
)
def test_it_learns_the_synthetic_game(tmp_path, method, learning_rate, env_steps):
    train(
        tmp_path,
        f"--method={method}",
        "--scenario=synthetic",
        f"--gin_bindings={learning_rate}",
        f"--gin_bindings=Trainer.total_env_steps = {env_steps}",
        "--gin_bindings=Trainer.stop_at_score = 0.9",
    )
    # Its last 100 episodes had it with actions that were drawn, or else its most probable ones do.
    reached = read_curve(tmp_path).first_reached(0.9)
    assert reached or score_of(tmp_path) > 0.9, "a random policy scores 0.25"
