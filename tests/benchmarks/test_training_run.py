"""What is read of a training that is watched."""

import itertools
from types import SimpleNamespace

import pytest

from hts_tf import errors
from hts_tf.benchmarks import kernel, training_run
from hts_tf.system.child import ChildError


@pytest.fixture
def training(tmp_path, monkeypatch):
    """With a sync point every 100 env steps, and a second."""
    points = itertools.count(1)
    made = training_run.Training(SimpleNamespace(pid=1), tmp_path)
    monkeypatch.setattr(made, "sync_points", lambda: [(100 * (n := next(points)), float(n))])
    monkeypatch.setattr(training_run, "_POLL_SEC", 0.0)
    monkeypatch.setattr(kernel, "executors_of", lambda pid: [pid + 1])
    return made


@pytest.mark.parametrize(
    ("env_steps", "intervals", "last"), [(0, 1, 2), (100, 1, 2), (250, 1, 3), (0, 4, 4)]
)
def test_the_first_and_the_last_sync_point(training, env_steps, intervals, last):
    found = training.watch(lambda *point: point, env_steps, intervals)
    assert found == ((100, 1.0), (100 * last, float(last)))


def test_a_training_that_is_over_too_soon(tmp_path):
    ended = SimpleNamespace(pid=1, has_ended=lambda: True)
    with pytest.raises(errors.RunError, match="over before it was measured: lower --env_steps, or"):
        training_run.Training(ended, tmp_path).sync_points()


def test_an_executor_that_is_replaced(training, monkeypatch):
    executors = itertools.count()
    monkeypatch.setattr(kernel, "executors_of", lambda _: [next(executors)])
    with pytest.raises(ChildError, match="an executor was replaced while it was measured"):
        training.watch(lambda *_: None, 0)
