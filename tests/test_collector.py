import contextlib
import functools
import itertools
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from hts_tf import networks, seeding
from hts_tf.collector import Collector, WorkerError
from hts_tf.environments import synthetic
from hts_tf.policy import Policy

pytestmark = pytest.mark.usefixtures("op_determinism")

SEED = 11
# Episodes of 5 steps, so that they end at every place of the intervals of 4 steps, also the last.
SYNC_INTERVAL, NUM_ENVS, NUM_INTERVALS = 4, 5, 6
GAMES = {
    time_limit: synthetic.Synthetic(num_actions=3, episode_steps=5, time_limit=time_limit)
    for time_limit in (False, True)
}
DEADLINE_SEC = 60  # after which a test that hangs fails; none waits for it to pass

BROKEN_GAMES = """
import dataclasses
from hts_tf.environments import synthetic

class LostBall(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        raise RuntimeError("the ball is lost")

@dataclasses.dataclass(frozen=True)
class BreaksInStep(synthetic.Synthetic):
    def make(self):
        return LostBall(self)

@dataclasses.dataclass(frozen=True)
class BreaksInMake(synthetic.Synthetic):
    def make(self):
        raise RuntimeError("there is no ball")
"""


@functools.cache
def make_network():
    return networks.ActorCritic(GAMES[False].spec, 0, functools.partial(networks.mlp, units=(8,)))


@functools.cache
def make_policy():
    return Policy(make_network(), GAMES[False].spec, 8)


@contextlib.contextmanager
def collecting(game, num_executors=2, num_actors=2, actor_batch_size=3, num_envs=NUM_ENVS):
    collector = Collector(
        game,
        make_policy(),
        SEED,
        SYNC_INTERVAL,
        num_envs,
        num_executors,
        num_actors,
        actor_batch_size,
    )
    try:
        yield collector
    finally:
        collector.close()


def noise_of(interval, num_envs=NUM_ENVS):
    return seeding.gumbel_noise(SEED, interval, (SYNC_INTERVAL, num_envs, 3))


def run_intervals(collector, first, last):
    """Collects intervals; returns a copy of each one's storage."""
    collected = []
    for interval in range(first, last):
        collector.begin(interval)
        collector.wait()
        storage = collector.storages[interval % 2]
        collected.append(type(storage)(*(array.copy() for array in storage)))
    return collected


def copy_of_ledger(collector):
    return {name: array.copy() for name, array in collector.ledger.arrays.items()}


@functools.cache
def collected(time_limit, **workers):
    """Storages and ledger of a whole run."""
    with collecting(GAMES[time_limit], **workers) as collector:
        collector.start(0)
        storages = run_intervals(collector, 0, NUM_INTERVALS)
        return storages, copy_of_ledger(collector)


def assert_same_bits(actual, expected):
    for interval, (a, b) in enumerate(zip(actual, expected, strict=True)):
        for name in a._fields:
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), (interval, name)


def value_of(observation):
    """Of one observation, to the bit."""
    return make_policy().act(observation[None], np.zeros((1, 3), np.float32))[2][0]


@pytest.mark.parametrize("time_limit", [False, True])
@pytest.mark.parametrize("slot", range(NUM_ENVS))
def test_storages_and_ledger_are_what_a_replay_gives(time_limit, slot):
    storages, ledger = collected(time_limit)
    game = GAMES[time_limit].make()
    observation = np.empty(3, np.float32)
    game.reset(seeding.episode_seed(SEED, slot, 0), observation)
    episode, played = 0, []
    for storage in storages:
        for t in range(SYNC_INTERVAL):
            np.testing.assert_array_equal(storage.observation[t, slot], observation)
            action = int(storage.action[t, slot])
            result = game.step(action, observation)
            played.append(action)
            stored = (storage.reward, storage.score, storage.terminated, storage.truncated)
            assert tuple(x[t, slot] for x in stored) == pytest.approx(tuple(result))
            if result.truncated:
                assert storage.truncation_value[t, slot] == value_of(observation)
            if result.terminated or result.truncated:
                episode, played = episode + 1, []
                game.reset(seeding.episode_seed(SEED, slot, episode), observation)
        np.testing.assert_array_equal(storage.observation[-1, slot], observation)
    assert episode == SYNC_INTERVAL * NUM_INTERVALS // 5
    assert ledger["episode"][slot] == episode
    assert ledger["length"][slot] == len(played)
    assert ledger["action"][slot, : len(played)].tolist() == played


def test_actions_follow_from_logits_and_noise():
    storages, _ = collected(True)
    for interval, storage in enumerate(storages):
        expected = np.argmax(storage.logits + noise_of(interval), axis=-1)
        np.testing.assert_array_equal(storage.action, expected)
    actions = np.concatenate([storage.action.ravel() for storage in storages])
    assert set(actions.tolist()) == {0, 1, 2}


def test_logits_and_values_are_the_networks():
    storages, _ = collected(True)
    for storage in storages:
        logits, value = make_network()(storage.observation.reshape(-1, 3))
        value = value.numpy().reshape(SYNC_INTERVAL + 1, NUM_ENVS)
        logits = logits.numpy().reshape(SYNC_INTERVAL + 1, NUM_ENVS, 3)
        np.testing.assert_allclose(storage.value, value, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(storage.logits, logits[:-1], rtol=1e-5, atol=1e-6)


def test_intervals_join_up():
    storages, _ = collected(True)
    for before, after in itertools.pairwise(storages):
        np.testing.assert_array_equal(before.observation[-1], after.observation[0])
        np.testing.assert_array_equal(before.value[-1], after.value[0])


def test_the_last_observation_of_a_truncated_episode_is_not_the_next_ones_first():
    storages, _ = collected(True)
    different = [
        storage.truncation_value[t, slot] != storage.value[t + 1, slot]
        for storage in storages
        for t, slot in np.argwhere(storage.truncated)
    ]
    assert any(different)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_executors", "num_actors", "actor_batch_size"),
    [(1, 1, 1), (1, 3, 8), (2, 1, 3), (4, 3, 1), (5, 3, 8)],
)
def test_the_number_of_workers_changes_nothing(num_executors, num_actors, actor_batch_size):
    storages, ledger = collected(
        True,
        num_executors=num_executors,
        num_actors=num_actors,
        actor_batch_size=actor_batch_size,
    )
    expected_storages, expected_ledger = collected(True)
    assert_same_bits(storages, expected_storages)
    for name, array in ledger.items():
        np.testing.assert_array_equal(array, expected_ledger[name])


@pytest.mark.parametrize("time_limit", [False, True])
def test_another_collector_can_go_on(time_limit):
    """From the ledger and the storage before, as from a checkpoint."""
    expected, expected_ledger = collected(time_limit)
    with collecting(GAMES[time_limit]) as first:
        first.start(0)
        run_intervals(first, 0, 3)
        ledger = copy_of_ledger(first)
        storages = [[array.copy() for array in storage] for storage in first.storages]
    with collecting(GAMES[time_limit], num_executors=1) as second:
        for saved, arrays in zip(storages, second.storages, strict=True):
            for source, target in zip(saved, arrays, strict=True):
                target[...] = source
        for name, array in second.ledger.arrays.items():
            array[...] = ledger[name]
        second.start(3)
        assert_same_bits(run_intervals(second, 3, NUM_INTERVALS), expected[3:])
        for name, array in second.ledger.arrays.items():
            np.testing.assert_array_equal(array, expected_ledger[name])


def test_activity_are_shares_of_time_and_the_mean_batch():
    with collecting(GAMES[True], actor_batch_size=2) as collector:
        collector.start(0)
        run_intervals(collector, 0, 2)
        activity = collector.activity()
    shares = {name: value for name, value in activity.items() if name.startswith("time/")}
    assert set(shares) == {
        "time/executor_step",
        "time/executor_reset",
        "time/executor_wait_action",
        "time/executor_wait_sync",
        "time/actor_inference",
        "time/actor_wait_state",
        "time/actor_wait_sync",
    }
    assert all(0 <= value <= 1 for value in shares.values()), shares
    assert 1 <= activity["actor/batch_size"] <= 2


def pids(collector):
    return [process.pid for process in collector._processes]


def assert_gone(collector):
    """No process of the collector is left, not even a zombie, and none of its threads."""
    assert pids(collector)
    for pid in pids(collector):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not set(collector._threads) & set(threading.enumerate())


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_SEC
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_close_ends_everything_and_may_be_called_twice():
    with collecting(GAMES[True]) as collector:
        collector.start(0)
        for pid in pids(collector):
            os.kill(pid, 0)
        collector.close()
        assert_gone(collector)
        assert [process.returncode for process in collector._processes] == [0, 0]
        collector.close()


def test_close_in_the_middle_of_an_interval():
    game = synthetic.Synthetic(num_actions=3, mean_step_sec=0.02)
    with collecting(game) as collector:
        collector.start(0)
        collector.begin(0)
    assert_gone(collector)


def test_close_before_start():
    with collecting(GAMES[True]) as collector:
        collector.close()
        assert pids(collector) == []


@pytest.mark.slow
def test_close_does_not_wait_for_a_long_env_step():
    game = synthetic.Synthetic(num_actions=3, mean_step_sec=600.0)
    with collecting(game, num_executors=1, num_envs=1) as collector:
        collector.start(0)
        collector.begin(0)
        wait_until(lambda: collector.ledger.arrays["length"][0] == 1)  # recorded before the step
    assert_gone(collector)


def test_an_executor_killed_in_a_step_ends_the_wait():
    game = synthetic.Synthetic(num_actions=3, mean_step_sec=600.0)
    with collecting(game, num_executors=1, num_envs=2) as collector:
        collector.start(0)
        collector.begin(0)
        os.kill(pids(collector)[0], signal.SIGKILL)
        expected = r"^executor 0 \(environments 0, 1\) was killed by SIGKILL$"
        with pytest.raises(WorkerError, match=expected):
            collector.wait()
        with pytest.raises(WorkerError, match=expected):
            collector.wait()
    assert_gone(collector)


def test_the_error_names_the_executor_that_was_killed():
    with collecting(GAMES[True]) as collector:
        collector.start(0)
        os.kill(pids(collector)[1], signal.SIGSTOP)  # so the interval cannot end before
        collector.begin(0)
        os.kill(pids(collector)[1], signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"^executor 1 \(environments 3, 4\) was killed by"):
            collector.wait()
    assert_gone(collector)


def test_an_executor_killed_between_intervals_is_a_worker_error():
    with collecting(GAMES[True]) as collector:
        collector.start(0)
        os.kill(pids(collector)[0], signal.SIGKILL)
        wait_until(lambda: collector._failure is not None)
        with pytest.raises(WorkerError, match="executor 0"):
            collector.begin(0)
            collector.wait()


@pytest.fixture
def broken_games(tmp_path, monkeypatch):
    """A module that executors can import, too."""
    (tmp_path / "broken_games.py").write_text(BROKEN_GAMES)
    monkeypatch.syspath_prepend(tmp_path)
    path = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))
    import broken_games

    yield broken_games
    del sys.modules["broken_games"]


def test_an_environment_that_raises_in_step(broken_games, capfd):
    with collecting(broken_games.BreaksInStep(num_actions=3)) as collector:
        collector.start(0)
        collector.begin(0)
        with pytest.raises(WorkerError, match=r"^executor [01] \(.*\) ended with exit code 1"):
            collector.wait()
    assert_gone(collector)
    assert "RuntimeError: the ball is lost" in capfd.readouterr().err


def test_an_environment_that_cannot_be_made(broken_games, capfd):
    expected = r"^executor [01] \(.*\) ended with exit code 1"
    with (
        collecting(broken_games.BreaksInMake(num_actions=3)) as collector,
        pytest.raises(WorkerError, match=expected),
    ):
        collector.start(0)
    assert_gone(collector)
    assert "RuntimeError: there is no ball" in capfd.readouterr().err


def test_a_policy_that_raises_ends_the_wait():
    class BrokenPolicy:
        def act(self, observation, noise):
            raise FloatingPointError("no numbers left")

    collector = Collector(GAMES[True], BrokenPolicy(), SEED, SYNC_INTERVAL, 2, 1, 1, 2)
    try:
        collector.start(0)
        collector.begin(0)
        with pytest.raises(FloatingPointError, match="no numbers left"):
            collector.wait()
    finally:
        collector.close()
    assert_gone(collector)
