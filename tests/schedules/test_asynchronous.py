"""No sync points: how far policies lag, and what a run promises all the same."""

import os
import signal

import numpy as np
import pytest

from hts_tf.algorithms import impala
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.collecting.unroll_collector import Unrolls
from hts_tf.errors import ConfigError
from hts_tf.files import archive, fingerprint_log
from hts_tf.files.curves import read_curve
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.schedules import asynchronous
from tests import command_line
from tests.algorithms import reference
from tests.schedules import fakes
from tests.training import score_of, wait_for_progress

GAME = [
    "--method=impala",
    "--scenario=synthetic",
    "--gin_bindings=Synthetic.time_limit = True",
    "--gin_bindings=Synthetic.step_time = 'exponential'",
    "--gin_bindings=Synthetic.mean_step_sec = 0.001",
    "--gin_bindings=Trainer.total_env_steps = 8192",
]


class Collector:
    """Gives unrolls that were begun with given versions of the policy."""

    def __init__(self, behaviour, versions):
        self._behaviour = behaviour
        self._versions = iter(versions)
        self.policy_version = -1
        self.parameters = []

    def begin(self):
        assert not self.parameters

    def take(self, n):
        self.parameters.append((self.policy_version, self._behaviour.parameters_hash()))
        rollout = fakes.make_storage(self._behaviour)
        assert n == rollout.action.shape[1]
        return Unrolls(rollout, np.arange(n), np.array(next(self._versions)))


@pytest.mark.usefixtures("op_determinism")
def test_lag_is_counted_from_each_unrolls_beginning():
    target, behaviour = reference.make_agent(), reference.make_agent()
    example = fakes.make_storage(behaviour)
    width = example.action.shape[1]
    assert width >= 2
    late = [0] * (width - 1)
    collector = Collector(behaviour, [[*late, 0], [*late, 1], [*late, 2]])
    learner = Learner(target, impala.IMPALA(learning_rate=0.01), example, 3, 0)
    schedule = asynchronous.Asynchronous(num_envs=4, batch_unrolls=width)
    schedule.connect(collector, learner, behaviour)
    rounds = [schedule.run_round(j) for j in range(schedule.num_rounds)]
    assert [r.policy_lag for r in rounds] == pytest.approx([j * (1 - 1 / width) for j in range(3)])
    assert [r.logs["policy_lag_max"] for r in rounds] == [0, 1, 2]
    # The actors have every version, and the collector knows which.
    assert [version for version, _ in collector.parameters] == [0, 1, 2]
    assert len({parameters for _, parameters in collector.parameters}) == 3
    assert behaviour.parameters_hash() == target.parameters_hash()


@pytest.mark.parametrize(
    ("num_envs", "batch_unrolls", "num_storages"), [(16, 16, 2), (16, 1, 2), (4, 16, 5), (4, 5, 3)]
)
def test_while_a_batch_is_complete_every_environment_can_write(
    num_envs, batch_unrolls, num_storages
):
    schedule = asynchronous.Asynchronous(num_envs, batch_unrolls)
    assert schedule.num_storages == num_storages
    assert num_envs * num_storages >= batch_unrolls + num_envs


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"Asynchronous\.batch_unrolls"):
        asynchronous.Asynchronous(4, batch_unrolls=0)


def finished(process):
    """Standard output of a command that succeeds, and its errors."""
    code, output, errors = command_line.finish(process)
    assert code == 0, errors
    assert not executors_of(process.pid)
    return output, errors


def episode_numbers(workdir):
    """Of each slot, the numbers of its finished episodes, in order of the archive."""
    numbers = {}
    for record in archive.read(workdir / archive.FILE_NAME):
        numbers.setdefault(record.env, []).append(record.episode)
    return numbers


@pytest.mark.slow
def test_a_killed_executor_does_not_end_the_run(tmp_path):
    with command_line.start("hts_tf.train", f"--workdir={tmp_path}", *GAME) as process:
        wait_for_progress(process)
        os.kill(executors_of(process.pid)[0], signal.SIGKILL)
        output, errors = finished(process)
    assert "was killed by SIGKILL" in errors
    assert "8,192 env steps, 16 updates" in output
    numbers = episode_numbers(tmp_path)
    assert len(numbers) == 16
    for of_slot in numbers.values():  # none twice, and none is missing
        assert of_slot == list(range(len(of_slot)))


@pytest.mark.slow
def test_stopped_and_resumed(tmp_path):
    with command_line.start("hts_tf.train", f"--workdir={tmp_path}", *GAME) as process:
        wait_for_progress(process)
        process.terminate()
        code, output, errors = command_line.finish(process)
    assert code == 128 + signal.SIGTERM, errors
    stopped_at = int(Workdir(tmp_path).newest()["run/env_steps"])
    assert 0 < stopped_at < 8192
    before = episode_numbers(tmp_path)
    with command_line.start("hts_tf.train", f"--workdir={tmp_path}", *GAME) as process:
        output, _ = finished(process)
    assert "8,192 env steps, 16 updates" in output
    assert "no fingerprints" in output
    assert not (tmp_path / fingerprint_log.TABLE).exists()
    for slot, numbers in episode_numbers(tmp_path).items():
        assert numbers == sorted(set(numbers))  # no episode is played a second time
        assert numbers[: len(before.get(slot, []))] == before.get(slot, [])


@pytest.mark.slow
def test_impala_learns_the_synthetic_game(tmp_path):
    flags = [
        f"--workdir={tmp_path}",
        "--method=impala",
        "--scenario=synthetic",
        "--gin_bindings=IMPALA.learning_rate = 0.003",
        "--gin_bindings=Trainer.total_env_steps = 80000",
        "--gin_bindings=Trainer.stop_at_score = 0.9",
    ]
    with command_line.start("hts_tf.train", *flags) as process:
        finished(process)
    # Its last 100 episodes had it with actions that were drawn, or else its most probable ones do.
    reached = read_curve(tmp_path).first_reached(0.9)
    assert reached or score_of(tmp_path) > 0.9, "a random policy scores 0.25"
