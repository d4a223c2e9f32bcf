import contextlib
import dataclasses
import errno
import functools
import itertools
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

from hts_tf import errors, rollouts, seeding, specs, trees
from hts_tf.collecting import actor, executor, executor_pool
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.executor_pool import WorkerError
from hts_tf.collecting.ledger import Place
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.environments import synthetic
from tests import command_line, processes, waiting
from tests.collecting import broken_games
from tests.collecting.both_collectors import (
    GAMES,
    NUM_ENVS,
    SEED,
    SYNC_INTERVAL,
    assert_gone,
    draw_noise,
    make_network,
    make_policy,
    pids,
    value_of,
)

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_INTERVALS = 6


@contextlib.contextmanager
def collecting(
    game,
    num_executors=2,
    num_actors=2,
    actor_batch_size=3,
    num_envs=NUM_ENVS,
    step=None,
    policy=None,
    **options,
):
    crew = Crew(num_envs, SYNC_INTERVAL, num_executors, num_actors, actor_batch_size, **options)
    workers = Workers(game, step or make_network().step, policy or make_policy(), SEED, crew)
    collector = Collector(workers)
    try:
        yield collector
    finally:
        collector.close()


def count_batches(collector):
    """A list to which the sizes of the actors' batches will be added."""
    sizes = []
    policy = collector.workers.policy

    class Counted:
        draw_noise = policy.draw_noise

        def act(self, observation, noise, state):
            sizes.append(len(observation))
            return policy.act(observation, noise, state)

    collector.workers.policy = Counted()
    return sizes


def noise_of(interval, num_envs=NUM_ENVS):
    return draw_noise(interval, (SYNC_INTERVAL, num_envs, 3))


def run_intervals(collector, first, last):
    """Collects intervals; returns a copy of each one's storage, without the axis of players."""
    collected = []
    for interval in range(first, last):
        collector.begin(interval)
        collector.wait()
        collected.append(trees.map(np.copy, rollouts.columns(collector.storage(interval))))
    return collected


def episodes(collector):
    """Of each slot: (number of its episode, actions so far)."""
    found = [collector.workers.board.ledger.current(slot) for slot in range(NUM_ENVS)]
    return [(place.episode, actions) for place, actions in found]


@functools.cache
def collected(time_limit, **workers):
    """Storages of a whole run, and its episodes in the end."""
    with collecting(GAMES[time_limit], **workers) as collector:
        collector.start()
        storages = run_intervals(collector, 0, NUM_INTERVALS)
        return storages, episodes(collector)


def assert_same_episodes(actual, expected):
    for (episode, actions), (expected_episode, expected_actions) in zip(
        actual, expected, strict=True
    ):
        assert episode == expected_episode
        np.testing.assert_array_equal(actions, expected_actions)


def assert_same_bits(actual, expected):
    for interval, (a, b) in enumerate(zip(actual, expected, strict=True)):
        assert rollouts.leaves(a).keys() == rollouts.leaves(b).keys()
        for name, array in rollouts.leaves(a).items():
            assert array.tobytes() == rollouts.leaves(b)[name].tobytes(), (interval, name)


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
            assert tuple(x[t, slot] for x in stored) == pytest.approx(result[:4])
            if result.truncated:
                assert storage.truncation_value[t, slot] == value_of(observation)
            if result.terminated or result.truncated:
                episode, played = episode + 1, []
                game.reset(seeding.episode_seed(SEED, slot, episode), observation)
        np.testing.assert_array_equal(storage.observation[-1, slot], observation)
    assert episode == SYNC_INTERVAL * NUM_INTERVALS // 5
    assert ledger[slot][0] == episode
    assert ledger[slot][1].tolist() == [[action] for action in played]


def test_actions_follow_from_logits_and_noise():
    storages, _ = collected(True)
    for interval, storage in enumerate(storages):
        expected = np.argmax(storage.policy["logits"] + noise_of(interval), axis=-1)
        np.testing.assert_array_equal(storage.action, expected)
    actions = np.concatenate([storage.action.ravel() for storage in storages])
    assert set(actions.tolist()) == {0, 1, 2}


def test_logits_and_values_are_the_networks():
    storages, _ = collected(True)
    for storage in storages:
        policy, value = make_network()(storage.observation.reshape(-1, 3))
        value = value.numpy().reshape(SYNC_INTERVAL + 1, NUM_ENVS)
        logits = policy["logits"].numpy().reshape(SYNC_INTERVAL + 1, NUM_ENVS, 3)
        np.testing.assert_allclose(storage.value, value, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(storage.policy["logits"], logits[:-1], rtol=1e-5, atol=1e-6)


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
    storages, played = collected(
        True,
        num_executors=num_executors,
        num_actors=num_actors,
        actor_batch_size=actor_batch_size,
    )
    expected_storages, expected_episodes = collected(True)
    assert_same_bits(storages, expected_storages)
    assert_same_episodes(played, expected_episodes)


@pytest.mark.parametrize("time_limit", [False, True])
def test_lockstep_answers_all_at_once_and_changes_nothing(time_limit):
    """With slots out of step, too: after truncations there is a further question."""
    expected, expected_episodes = collected(time_limit)
    with collecting(GAMES[time_limit], lockstep=True) as collector:
        batches = count_batches(collector)
        collector.start()
        assert_same_bits(run_intervals(collector, 0, NUM_INTERVALS), expected)
        assert_same_episodes(episodes(collector), expected_episodes)
    # All slots start together and have episodes of the same length: no batch is smaller. The
    # last observation of an interval is asked about again as the first of the next.
    questions = NUM_INTERVALS * (SYNC_INTERVAL + 1)
    if time_limit:
        questions += sum(int(storage.truncated[:, 0].sum()) for storage in expected)
    assert batches == [NUM_ENVS] * questions


def test_lockstep_waits_only_for_those_who_have_not_finished():
    version = np.zeros(3, np.int64)
    places = {"step": np.array([1, 1, 1]), "episode_over": np.array([False, True, False])}

    class Ledger:
        def __init__(self):
            self.version = version

        def places(self, slots):
            return Place(None, None, places["step"][slots], places["episode_over"][slots])

    claims = actor.Lockstep(types.SimpleNamespace(ledger=Ledger(), sync_interval=1))
    version += 1
    assert claims.take([0, 2, 0]).tolist() == []
    assert claims.take([2, 1]).tolist() == [0, 2, 1]  # 0 and 2 finish; 1 asks for a value only
    version[1] += 1
    places["episode_over"][1] = False
    assert claims.take([0, 1, 2]).tolist() == [1]  # the tickets of 0 and 2 are a dead executor's
    version += 1  # the next interval: all of them again
    assert claims.take([0, 1]).tolist() == []
    assert claims.take([2]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("time_limit", [False, True])
def test_another_collector_can_go_on(time_limit):
    """From the ledger and the storage before, as from a checkpoint."""
    expected, expected_episodes = collected(time_limit)
    with collecting(GAMES[time_limit]) as first:
        first.start()
        run_intervals(first, 0, 3)
        ledger = {name: array.copy() for name, array in first.workers.board.ledger.arrays.items()}
        storages = trees.map(np.copy, tuple(first.storages))
    with collecting(GAMES[time_limit], num_executors=1) as second:
        trees.map(np.copyto, tuple(second.storages), storages)
        for name, array in second.workers.board.ledger.arrays.items():
            array[...] = ledger[name]
        second.start()
        assert_same_bits(run_intervals(second, 3, NUM_INTERVALS), expected[3:])
        assert_same_episodes(episodes(second), expected_episodes)


def test_a_saved_state_of_another_spec_is_refused():
    with collecting(GAMES[False]) as first:
        state = {name: array.copy() for name, array in first.state(0).items()}
    longer = dataclasses.replace(GAMES[False], episode_steps=6)
    says = "another ledger/action: the environment's spec is not what it was"
    with collecting(longer) as second, pytest.raises(errors.ConfigError, match=says):
        second.restore(state, 0)
    del state["storage/reward"]
    with collecting(GAMES[False]) as third, pytest.raises(errors.ConfigError, match="storage/rew"):
        third.restore(state, 0)


def test_activity_are_shares_of_time_and_the_mean_batch():
    with collecting(GAMES[True], actor_batch_size=2) as collector:
        collector.start()
        run_intervals(collector, 0, 2)
    activity = collector.workers.activity()  # all that has been begun has been counted
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


def test_waiting_at_sync_points_is_counted():
    with collecting(GAMES[True]) as collector:
        collector.start()
        run_intervals(collector, 0, 2)
        waiting.until(is_doing(collector, executor.WAITING))
        collector.workers.activity()
        time.sleep(0.3)  # nobody has anything to do before the next interval
        run_intervals(collector, 2, 3)
        waited = collector.workers.activity()
    assert waited["time/executor_wait_sync"] > 0
    assert waited["time/actor_wait_sync"] > 0


def test_shards_have_noise_of_their_own():
    with collecting(GAMES[False], shards=range(NUM_ENVS)) as collector:
        collector.workers.set_noise(3)
        for slot in range(NUM_ENVS):
            stream = seeding.generator(SEED, "noise", 3, *([slot] if slot else []))
            expected = stream.gumbel(size=(SYNC_INTERVAL, 1, 1, 3)).astype(np.float32)
            np.testing.assert_array_equal(collector.workers._noise[:, slot : slot + 1], expected)


def is_doing(collector, what):
    """Whether executor 0 is at it now."""
    return lambda: collector.workers._control["executor_doing"][0, 0] == what


def test_close_ends_everything_and_may_be_called_twice(monkeypatch):
    monkeypatch.setattr(executor_pool, "_GRACE_SEC", 60.0)
    with collecting(GAMES[True]) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        for pid in pids(collector):
            os.kill(pid, 0)
        collector.close()
        assert_gone(collector)
        codes = [process.returncode for process in collector.workers._pool._processes.values()]
        assert codes == [0, 0]
        collector.close()


def test_close_in_the_middle_of_an_interval():
    game = synthetic.Synthetic(num_actions=3, mean_step_sec=0.02)
    with collecting(game) as collector:
        collector.start()
        collector.begin(0)
        waiting.until(is_doing(collector, executor.STEPPING))
    assert_gone(collector)


def test_close_while_executors_start():
    with collecting(GAMES[True]) as collector:
        collector.start()
    assert_gone(collector)


def test_close_before_start():
    with collecting(GAMES[True]) as collector:
        collector.close()
        assert collector.workers._pool.pids == []


def test_a_machine_that_is_short_of_processes_for_a_while(monkeypatch, capfd):
    start, lacking = subprocess.Popen, [BlockingIOError(errno.EAGAIN, "no more processes")] * 2

    def popen(*arguments, **options):
        if lacking:
            raise lacking.pop()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(executor_pool, "_PAUSES_SEC", (0.01,) * 2)
    with collecting(GAMES[True]) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
    assert capfd.readouterr().err.count("no more processes; trying again in 0.01 s") == 2
    lacking += [BlockingIOError(errno.EAGAIN, "no more processes")] * 10
    with collecting(GAMES[True]) as collector:
        collector.start()
        with pytest.raises(WorkerError, match=r"executor 0 cannot be started: .*no more processes"):
            run_intervals(collector, 0, 1)


@pytest.mark.slow
def test_close_does_not_wait_for_a_long_env_step():
    game = synthetic.Synthetic(num_actions=3, mean_step_sec=600.0)
    with collecting(game, num_executors=1, num_envs=1) as collector:
        collector.start()
        collector.begin(0)
        waiting.until(is_doing(collector, executor.STEPPING))
    assert_gone(collector)


def test_a_broken_rule_ends_the_run_at_that_step():
    with collecting(broken_games.BreaksARule(3, 5)) as collector:
        collector.start()
        with pytest.raises(WorkerError) as raised:
            run_intervals(collector, 0, 1)
        assert collector.workers._pool.crashes == 0
    fault, attempt = str(raised.value), raised.value.attempt
    assert fault == (
        "Forgetful broke a rule in env step 2 of its episode: the reward is nan, which is not "
        "finite as a float32 (see docs/your_own_environment.md#what-it-may-not-do) "
        f"(stepping environment {attempt.env}, episode 0, env step 2)"
    )
    assert attempt.actions.shape == (3, 1)
    assert_gone(collector)


def test_an_episode_that_goes_on_is_a_broken_rule():
    fault = (
        "Endless broke a rule in env step 5 of its episode: the episode goes on after 5 env steps, "
        r"the spec's max_episode_steps .*\(stepping environment \d, episode 0, env step 5\)$"
    )
    with collecting(broken_games.NeverEnds(3, 5)) as collector:
        collector.start()
        with pytest.raises(WorkerError, match=fault) as raised:
            run_intervals(collector, 0, 3)
        assert collector.workers._pool.crashes == 0
    assert raised.value.attempt.actions.shape == (5, 1), "all that there is room for"


def test_a_broken_rule_is_told_although_the_environment_does_not_close():
    with collecting(broken_games.HangsWhenItIsClosed(3, 5), step_timeout_sec=None) as collector:
        collector.start()
        with pytest.raises(WorkerError, match="Stuck broke a rule in env step 2"):
            run_intervals(collector, 0, 1)


@pytest.mark.parametrize("breaks_a_rule", [False, True])
def test_an_episode_that_fails_whenever_it_is_played_again_is_given_up(
    breaks_a_rule, tmp_path, capfd
):
    """As it once went on there, the game does not keep to its seed: that is no end of the run."""
    game = broken_games.CannotBePlayedAgain(
        3, 5, played=str(tmp_path / "played"), breaks_a_rule=breaks_a_rule
    )
    with collecting(game, num_executors=1, num_envs=1, crash_limit=3) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        [pid] = pids(collector)
        os.kill(pid, signal.SIGKILL)
        broken = pytest.raises(WorkerError, match="in env step 3 of its episode: the reward is nan")
        with broken if breaks_a_rule else contextlib.nullcontext():
            run_intervals(collector, 1, 2)  # now and then, in new episodes, it is tired, too
    said = capfd.readouterr().err
    assert said.count("does not keep to its seed: the same actions led its episode to a fail") == 1
    # First in env step 1, then in 2: wherever, for it does not get any further.
    deaths = re.findall(r"ended .* while stepping environment 0, episode 0, env step (\d)", said)
    assert deaths == ["1", "2"]


def test_an_environment_that_does_not_keep_to_its_seed_is_told_of(capfd):
    for game, warns in [(broken_games.IgnoresItsSeed(3, 5), True), (GAMES[False], False)]:
        with collecting(game, num_executors=1) as collector:
            collector.start()
            run_intervals(collector, 0, 1)
            [pid] = pids(collector)
            os.kill(pid, signal.SIGKILL)
            run_intervals(collector, 1, 2)
        warning = "environment 0, 1, 2, 3, 4 does not keep to its seed" if warns else "seed"
        assert (warning in capfd.readouterr().err) == warns


def assert_nothing_is_made_up(storages, cuts, slot):
    """Of a game that keeps a diary: each row follows from the one before, or begins an episode.

    Returns where the slot's episodes were cut short, as (interval, step), and its last episode.
    """
    episode, length, pages = 0, 0, None
    cut_at = []
    for interval, (storage, cut) in enumerate(zip(storages, cuts, strict=True)):
        row = trees.map(lambda x, slot=slot: x[:, slot], storage)
        noise = noise_of(interval)[:, slot]
        if cut[0, slot]:
            cut_at.append((interval, 0))
            assert length > 0
            episode, length = episode + 1, 0
        for t in range(SYNC_INTERVAL):
            if length == 0:
                pages = row.observation[t].min()  # the environment may be a new one
            expected = shown(slot, episode, length, pages)
            np.testing.assert_array_equal(row.observation[t], expected)
            assert row.value[t] == value_of(expected)
            assert row.action[t] == np.argmax(row.policy["logits"][t] + noise[t])
            length, pages = length + 1, pages + 1
            last = shown(slot, episode, length, pages)
            is_cut = t + 1 < SYNC_INTERVAL and cut[t + 1, slot]
            if is_cut:
                cut_at.append((interval, t + 1))
                assert row.truncated[t]
                assert length < 5
            assert (row.terminated[t] or row.truncated[t]) == (is_cut or length == 5)
            if row.truncated[t]:
                assert row.truncation_value[t] == value_of(last)
            if row.terminated[t] or row.truncated[t]:
                episode, length = episode + 1, 0
        if length:
            np.testing.assert_array_equal(row.observation[-1], last)
            assert row.value[-1] == value_of(last)
    return cut_at, episode


def shown(slot, episode, length, pages):
    """What a game that keeps a diary shows after so many steps of an episode, and of its life."""
    random = np.random.default_rng(seeding.episode_seed(SEED, slot, episode))
    return np.eye(3, dtype=np.float32)[random.integers(3, size=6)[length]] + np.float32(pages)


def run_cut_short(collector, first, last):
    """As `run_intervals`; returns where episodes were cut short, too."""
    storages, cuts = [], []
    for interval in range(first, last):
        storages += run_intervals(collector, interval, interval + 1)
        cuts.append(collector.cut_short(interval).copy())
    return storages, cuts


@pytest.mark.parametrize("says_so", [False, True])
def test_an_episode_that_cannot_be_brought_back_ends_as_truncated(capfd, says_so):
    with collecting(broken_games.KeepsADiary(3, 5, says_so=says_so), num_executors=1) as collector:
        collector.start()
        storages, cuts = run_cut_short(collector, 0, 2)
        for interval in (2, 3):  # each slot is in the middle of an episode
            os.kill(pids(collector)[0], signal.SIGKILL)
            more = run_cut_short(collector, interval, interval + 1)
            storages, cuts = storages + more[0], cuts + more[1]
        played = episodes(collector)
    for slot in range(NUM_ENVS):
        cut_at, episode = assert_nothing_is_made_up(storages, cuts, slot)
        assert cut_at == [(2, 0), (3, 0)]
        assert played[slot][0] == episode
    assert capfd.readouterr().err.count("does not keep to its seed") == (not says_so)


@pytest.mark.slow
@pytest.mark.parametrize(("says_so", "time_limit"), [(False, True), (True, False)])
@pytest.mark.parametrize("where", ["before step", "after reset", "before move", "after move"])
def test_wherever_an_executor_dies_nothing_is_made_up(where, says_so, time_limit):
    game = broken_games.DiesWithItsDiary(
        3, 5, time_limit=time_limit, says_so=says_so, where=where, probability=0.05
    )
    with collecting(game, crash_limit=1000, lockstep=time_limit) as collector:
        collector.start()
        storages, cuts = [], []
        # Within intervals, and where they begin. A reset is seldom there; and in lockstep all
        # episodes are reset together, so there is seldom one to be cut short.
        places = [slice(1, None), slice(0, 1)]
        if where == "after reset":
            places = [] if time_limit else places[:1]
        while (
            len(storages) < NUM_INTERVALS
            or not collector.workers.activity()["executor/crashes"]
            or not all(any(cut[rows].any() for cut in cuts) for rows in places)
        ):
            more = run_cut_short(collector, len(storages), len(storages) + 1)
            storages, cuts = storages + more[0], cuts + more[1]
        played = episodes(collector)
    for slot in range(NUM_ENVS):
        cut_at, episode = assert_nothing_is_made_up(storages, cuts, slot)
        assert len(cut_at) == sum(int(cut[:, slot].sum()) for cut in cuts)
        assert played[slot][0] == episode
    assert_gone(collector)


def children_of(leader):
    return set(processes.in_session(leader)) - {leader}


def test_children_of_environments_end_with_a_run_that_is_over_at_once(monkeypatch):
    monkeypatch.setattr(executor_pool, "_GRACE_SEC", 60.0)
    with collecting(broken_games.StartsAChild(3, 5), num_executors=1) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        [pid] = pids(collector)
        assert len(children_of(pid)) == NUM_ENVS + 1  # and the one that ends them all
        collector.close()
        assert collector.workers._pool._processes[0].returncode == 0, "closed, not killed"
        waiting.until(lambda: not children_of(pid))


@pytest.mark.parametrize("command", [(), ("sh", "-mc", "sleep 3600 & wait")])  # -m: own groups
def test_children_of_environments_end_with_an_executor_that_dies(command):
    with collecting(broken_games.StartsAChild(3, 5, command=command), num_executors=1) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        [pid] = pids(collector)
        assert len(children_of(pid)) > NUM_ENVS
        os.kill(pid, signal.SIGKILL)
        run_intervals(collector, 1, 2)
        waiting.until(lambda: not children_of(pid))
        [successor] = pids(collector)
    waiting.until(lambda: not children_of(successor))


def test_shared_memory_of_an_executor_that_is_killed_is_gone():
    command = [sys.executable, "-m", "tests.sharing"]
    streams = {"stdout": subprocess.PIPE, "text": True, "cwd": command_line.ROOT}
    with subprocess.Popen(command, start_new_session=True, **streams) as executor_:
        memory = Path("/dev/shm", executor_.stdout.readline().strip())
        assert memory.exists()
        executor_pool._end_session(executor_)
    waiting.until(lambda: not memory.exists())


@pytest.mark.slow
def test_an_executor_that_is_stopped_while_it_waits_is_replaced():
    expected, _ = collected(True)
    with collecting(GAMES[True], step_timeout_sec=10.0) as collector:
        collector.start()
        storages = run_intervals(collector, 0, 2)
        os.kill(pids(collector)[1], signal.SIGSTOP)
        storages += run_intervals(collector, 2, NUM_INTERVALS)
        assert collector.workers._pool.crashes == 1
    assert_same_bits(storages, expected)


def test_an_executor_that_a_signal_without_a_name_kills_is_replaced(capfd):
    with collecting(GAMES[True], num_executors=1) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        os.kill(pids(collector)[0], signal.SIGRTMIN + 6)
        run_intervals(collector, 1, 2)
        assert collector.workers._pool.crashes == 1
    assert f"was killed by signal {signal.SIGRTMIN + 6}" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "where"),
    [
        *((how, "before step") for how in ("kill", "crash", "leave", "fail", "run_out_of_memory")),
        ("fail", "after reset"),
    ],
)
def test_however_an_executor_dies_the_bits_are_the_same(how, where):
    assert_deaths_change_nothing(
        broken_games.DiesNowAndThen(3, 5, time_limit=True, where=where, how=how, probability=0.03)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "time_limit"), [("before", False), ("after", True)])
@pytest.mark.parametrize(
    "method", ["step", "reset", "write_action", "move", "enqueue", "dequeue_up_to"]
)
def test_wherever_an_executor_dies_the_bits_are_the_same(moment, method, time_limit):
    where = f"{moment} {method}"
    assert_deaths_change_nothing(
        broken_games.DiesNowAndThen(3, 5, time_limit=time_limit, where=where, probability=0.02)
    )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before step", "after move", "after enqueue"])
def test_deaths_in_lockstep_change_nothing(where):
    game = broken_games.DiesNowAndThen(3, 5, time_limit=True, where=where, probability=0.03)
    assert_deaths_change_nothing(game, lockstep=True)


def assert_deaths_change_nothing(game, **options):
    expected_storages, expected_episodes = collected(game.time_limit)
    with collecting(game, crash_limit=1000, **options) as collector:
        collector.start()
        storages = run_intervals(collector, 0, NUM_INTERVALS)
        assert_same_bits(storages, expected_storages)
        assert_same_episodes(episodes(collector), expected_episodes)
        interval = NUM_INTERVALS
        while not collector.workers.activity()["executor/crashes"]:  # none by chance so far
            run_intervals(collector, interval, interval + 1)
            interval += 1
    assert_gone(collector)


@pytest.mark.slow
def test_an_executor_that_hangs_is_replaced(capfd):
    expected, _ = collected(True)
    game = broken_games.HangsNowAndThen(3, 5, time_limit=True)
    with collecting(game, crash_limit=1000, step_timeout_sec=3.0) as collector:
        collector.start()
        assert_same_bits(run_intervals(collector, 0, NUM_INTERVALS), expected)
        interval = NUM_INTERVALS
        while not (crashes := collector.workers.activity()["executor/crashes"]):
            run_intervals(collector, interval, interval + 1)  # none has hung by chance so far
            interval += 1
    assert_gone(collector)
    assert capfd.readouterr().err.count("hung for more than 3 s and was killed") == crashes


@pytest.mark.slow
def test_environments_may_take_as_long_to_build_as_an_env_step_each():
    game = broken_games.TakesTimeToBuild(3, 5, time_limit=True)
    with collecting(game, num_executors=1, step_timeout_sec=6.0) as collector:
        collector.start()
        run_intervals(collector, 0, 1)
        assert not collector.workers.activity()["executor/crashes"]


def test_killed_between_intervals_and_while_waiting(capfd):
    expected, _ = collected(True)
    with collecting(GAMES[True]) as collector:
        collector.start()
        storages = []
        for interval in range(NUM_INTERVALS):
            waiting.until(is_doing(collector, executor.WAITING) if interval else lambda: True)
            os.kill(pids(collector)[0], signal.SIGKILL)
            storages += run_intervals(collector, interval, interval + 1)
        assert_same_bits(storages, expected)
        assert collector.workers.activity()["executor/crashes"] >= NUM_INTERVALS - 1
    assert_gone(collector)
    assert "executor 0 (environments 0, 1, 2) was killed by SIGKILL" in capfd.readouterr().err


class RandomWalk:
    """A policy whose actions are its noise, and whose values come from both arrays of a dict."""

    def draw_noise(self, random, shape):
        return random.standard_normal((*shape, 2)).astype(np.float32)

    def act(self, observation, noise, state):
        value = observation["place"][:, 1] + np.float32(10) * observation["clock"]
        return rollouts.Answer(noise, {"mean": -noise}, value.astype(np.float32))


def test_dicts_and_arrays_are_what_a_replay_gives_also_after_a_death():
    game = broken_games.Walking()
    step = rollouts.step_spec(game.spec, {"mean": specs.ArraySpec((2,), "float32")})
    with collecting(game, step=step, policy=RandomWalk()) as collector:
        collector.start()
        storages = run_intervals(collector, 0, 2)
        os.kill(pids(collector)[0], signal.SIGKILL)  # every slot is within an episode
        storages += run_intervals(collector, 2, 4)
        ledger = episodes(collector)
    assert_gone(collector)
    for slot in range(NUM_ENVS):
        environment = game.make()
        observation = {"place": np.empty(2, np.float32), "clock": np.empty(1, np.int64)}
        environment.reset(seeding.episode_seed(SEED, slot, 0), observation)
        episode, played = 0, []
        for interval, storage in enumerate(storages):
            noise = seeding.generator(SEED, "noise", interval).standard_normal((4, NUM_ENVS, 2))
            np.testing.assert_array_equal(storage.action[:, slot], noise[:, slot].astype("float32"))
            np.testing.assert_array_equal(storage.policy["mean"], -storage.action)
            for t in range(SYNC_INTERVAL):
                for name, array in observation.items():
                    np.testing.assert_array_equal(storage.observation[name][t, slot], array)
                assert storage.value[t, slot] == pytest.approx(
                    observation["place"][1] + 10 * observation["clock"][0]
                )
                result = environment.step(storage.action[t, slot], observation)
                played.append(storage.action[t, slot].tolist())
                assert storage.reward[t, slot] == pytest.approx(result.reward)
                assert storage.terminated[t, slot] == result.terminated
                if result.terminated:
                    episode, played = episode + 1, []
                    environment.reset(seeding.episode_seed(SEED, slot, episode), observation)
        assert ledger[slot][0] == episode
        assert ledger[slot][1][:, 0].tolist() == played


def test_an_environment_may_write_to_its_actions():
    found = []
    for game in (broken_games.Walking(), broken_games.UsesActionsUp()):
        step = rollouts.step_spec(game.spec, {"mean": specs.ArraySpec((2,), "float32")})
        with collecting(game, step=step, policy=RandomWalk()) as collector:
            collector.start()
            found.append(run_intervals(collector, 0, 2))
    assert_same_bits(*found)


def test_an_executor_that_dies_again_and_again_in_the_same_step_ends_the_run(capfd):
    game = broken_games.BreaksInStep(3, 5)
    with collecting(game, num_executors=1, num_envs=2, crash_limit=3) as collector:
        collector.start()
        collector.begin(0)
        expected = (
            r"^executor 0 \(environments 0, 1\) ended with exit code 1 \(its own message is above\)"
            r" while stepping environment (\d), episode 0, env step 2; it died there 3 times"
            r" \(see docs/faq.md#an-executor-dies-again-and-again-and-the-run-ends\)$"
        )
        with pytest.raises(WorkerError, match=expected) as caught:
            collector.wait()
        with pytest.raises(WorkerError, match=expected):
            collector.wait()
        attempt = caught.value.attempt
        storage = collector.storages[0]
        np.testing.assert_array_equal(attempt.actions, storage.action[:3, attempt.env])
    assert_gone(collector)
    assert attempt.episode == 0
    errors = capfd.readouterr().err
    assert errors.count("RuntimeError: the ball is lost") >= 3
    assert errors.count("another takes its place") >= 2


def test_so_does_one_whose_episodes_are_cut_short_and_die_alike():
    game = broken_games.BreaksInStepWithHistory(3, 5)
    with collecting(game, num_executors=1, num_envs=1, crash_limit=3) as collector:
        collector.start()
        expected = "stepping environment 0, episode 2, env step 2; it died there 3 times"
        with pytest.raises(WorkerError, match=expected):
            run_intervals(collector, 0, 9)
        assert collector.workers._pool.crashes == 3


def test_an_environment_that_cannot_be_made(capfd):
    expected = r"^executor [01] \(.*\) ended with exit code 1 .* while starting; it died there 2"
    with (
        collecting(broken_games.BreaksInMake(3, 5), crash_limit=2) as collector,
        pytest.raises(WorkerError, match=expected) as caught,
    ):
        ledger = collector.workers.board.ledger
        place = ledger.place

        def place_of_a_slot(slot):
            assert slot >= 0, "where another slot stands has nothing to do with it"
            return place(slot)

        ledger.place = place_of_a_slot
        collector.start()
        collector.begin(0)
        collector.wait()
    assert_gone(collector)
    assert caught.value.attempt is None
    assert "RuntimeError: there is no ball" in capfd.readouterr().err


def test_a_policy_that_raises_ends_the_wait():
    class BrokenPolicy:
        draw_noise = make_policy().draw_noise

        def act(self, observation, noise, state):
            raise FloatingPointError("no numbers left")

    step = make_network().step
    crew = Crew(2, SYNC_INTERVAL, 1, 1, 2)
    collector = Collector(Workers(GAMES[True], step, BrokenPolicy(), SEED, crew))
    try:
        collector.start()
        collector.begin(0)
        with pytest.raises(FloatingPointError, match="no numbers left"):
            collector.wait()
    finally:
        collector.close()
    assert_gone(collector)
