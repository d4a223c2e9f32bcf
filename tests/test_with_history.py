"""Trainings on an environment that is not free of history: they go on, but do not repeat."""

import math
import os
import signal
import time

import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import archive, fingerprint_log
from hts_tf.watching import playback
from tests import command_line

pytestmark = pytest.mark.slow

GAME = Synthetic(episode_steps=23)
NUM_ENVS = 16
WITHDRAWN = "not reproducible, as its environment is not free of history: no fingerprints"


def start(workdir, *bindings):
    return command_line.start(
        "hts_tf.train",
        f"--workdir={workdir}",
        "--scenario=synthetic",
        f"--gin_files={command_line.ROOT / 'tests' / 'extensions' / 'diary.gin'}",
        "--gin_bindings=Trainer.num_executors = 2",
        "--gin_bindings=Trainer.sync_interval = 16",
        f"--gin_bindings=Trainer.total_env_steps = {20 * 16 * NUM_ENVS}",
        "--gin_bindings=Diary.episode_steps = 23",
        "--gin_bindings=Diary.mean_step_sec = 0.001",
        *(f"--gin_bindings={binding}" for binding in bindings),
    )


def wait_for_episodes(workdir, process, count):
    while len(archived(workdir)) < count:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def archived(workdir):
    path = workdir / archive.FILE_NAME
    return archive.read(path) if path.exists() else []


def cut_short(records):
    """Those whose outcome is not known; all others must be what their seeds and actions make."""
    for slot in range(NUM_ENVS):
        of_slot = [record for record in records if record.env == slot]
        assert [record.episode for record in of_slot] == list(range(len(of_slot)))
    for record in records:  # their light is as bright as it may, but pays the same
        playing = playback.Playback(GAME.make(), GAME.spec, record)
        assert len(list(playing)) == 1 + record.length
        assert playing.disagreements() == []
    return [record for record in records if math.isnan(record.score)]


@pytest.mark.parametrize(
    ("schedule", "says_so"),
    [("HTS", False), ("HTS", True), ("Sync", True), ("Asynchronous", False)],
)
def test_executors_are_killed(tmp_path, schedule, says_so):
    with start(
        tmp_path, f"Diary.says_so = {says_so}", f"Trainer.schedule = @{schedule}"
    ) as process:
        while not any(math.isnan(record.score) for record in archived(tmp_path)):
            # Again where each environment happened to be before the first env step of an episode.
            wait_for_episodes(tmp_path, process, len(archived(tmp_path)) + 2 * NUM_ENVS)
            os.kill(executors_of(process.pid)[0], signal.SIGKILL)
            wait_for_episodes(tmp_path, process, len(archived(tmp_path)) + 2 * NUM_ENVS)
        code, output, errors = command_line.finish(process)
    assert code == 0, errors
    assert cut_short(archived(tmp_path))
    assert errors.count("does not keep to its seed") == (not says_so)
    has_sync_points = schedule != "Asynchronous"
    assert (WITHDRAWN in output) == (says_so and has_sync_points)
    fingerprints = (tmp_path / fingerprint_log.TABLE).exists()
    assert fingerprints == (has_sync_points and not says_so)


@pytest.mark.parametrize("says_so", [False, True])
def test_a_training_is_stopped_and_goes_on(tmp_path, says_so):
    binding = f"Diary.says_so = {says_so}"
    with start(tmp_path, binding) as process:
        wait_for_episodes(tmp_path, process, 2 * NUM_ENVS)
        process.send_signal(signal.SIGTERM)
        code, _, errors = command_line.finish(process)
    assert code == 128 + signal.SIGTERM, errors
    before = archived(tmp_path)
    assert cut_short(before) == []
    with start(tmp_path, binding) as process:
        code, output, errors = command_line.finish(process)
    assert code == 0, errors
    # Each was in the middle of one: no sync point so far was at a multiple of 23 env steps.
    found = cut_short(archived(tmp_path))
    assert [record.env for record in found] == list(range(NUM_ENVS))
    # By each executor that has one.
    assert errors.count("does not keep to its seed") in ((0,) if says_so else (1, 2))
    assert (WITHDRAWN in output) == says_so
