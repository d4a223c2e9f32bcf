import contextlib
import functools
import math
import os
import signal

import numpy as np
import pytest

from hts_tf import seeding, trees
from hts_tf.collecting.executor_pool import WorkerError
from hts_tf.collecting.policy import Policy
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.files.episodes import EpisodeTracker
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.watching import playback
from tests import waiting
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

NUM_STORAGES = 3


@contextlib.contextmanager
def collecting(game, policy=None, **options):
    crew = Crew(NUM_ENVS, SYNC_INTERVAL, 2, 2, 3, NUM_STORAGES, **options)
    workers = Workers(game, make_network().step, policy or make_policy(), SEED, crew)
    collector = UnrollCollector(workers)
    try:
        yield collector
    finally:
        collector.close()


def take_unrolls(collector, at_least):
    """Takes until each slot has given so many; returns of each slot its unrolls, in order.

    Without the axis of players.
    """
    of_slot = [[] for _ in range(NUM_ENVS)]
    while min(map(len, of_slot)) < at_least:
        unrolls = collector.take(NUM_ENVS + 2)
        for column, slot in enumerate(unrolls.slots):
            of_slot[slot].append(trees.map(lambda x, i=column: x[:, i, 0], unrolls.rollout))
    return of_slot


def assert_replayed(game, slot, unrolls, first_episode=0):
    """The unrolls are what playing their actions gives, one after the other."""
    observation = np.empty(3, np.float32)
    episode = first_episode
    environment = game.make()
    environment.reset(seeding.episode_seed(SEED, slot, episode), observation)
    for unroll in unrolls:
        for t in range(SYNC_INTERVAL):
            np.testing.assert_array_equal(unroll.observation[t], observation)
            assert unroll.value[t] == value_of(observation)
            result = environment.step(int(unroll.action[t]), observation)
            stored = (unroll.reward, unroll.score, unroll.terminated, unroll.truncated)
            assert tuple(x[t] for x in stored) == pytest.approx(result[:4])
            if result.truncated:
                assert unroll.truncation_value[t] == value_of(observation)
            if result.terminated or result.truncated:
                episode += 1
                environment.reset(seeding.episode_seed(SEED, slot, episode), observation)
        np.testing.assert_array_equal(unroll.observation[-1], observation)
        assert unroll.value[-1] == value_of(observation)


@pytest.mark.parametrize("time_limit", [False, True])
def test_unrolls_are_what_a_replay_gives(time_limit):
    game = GAMES[time_limit]
    with collecting(game) as collector:
        collector.start()
        collector.begin()
        of_slot = take_unrolls(collector, 4)
    for slot, unrolls in enumerate(of_slot):
        assert_replayed(game, slot, unrolls)


def test_actions_follow_from_noise_that_is_used_once():
    with collecting(GAMES[True]) as collector:
        collector.start()
        collector.begin()
        of_slot = take_unrolls(collector, 3)
    drawn = set()
    for slot, unrolls in enumerate(of_slot):
        for number, unroll in enumerate(unrolls):
            noise = draw_noise(number * NUM_ENVS + slot, (SYNC_INTERVAL, 3))
            expected = np.argmax(unroll.policy["logits"] + noise, axis=-1)
            np.testing.assert_array_equal(unroll.action, expected)
            drawn.add(noise.tobytes())
    assert len(drawn) == sum(map(len, of_slot))


def test_without_a_learner_every_slot_fills_its_storages_and_waits():
    with collecting(GAMES[True]) as collector:
        collector.start()
        collector.begin()
        waiting.until(lambda: len(collector._waiting) == NUM_ENVS)
        assert collector._finished.size() == NUM_ENVS * NUM_STORAGES
        of_slot = take_unrolls(collector, 2 * NUM_STORAGES)  # all go on
    for slot, unrolls in enumerate(of_slot):
        assert_replayed(GAMES[True], slot, unrolls)
    assert_gone(collector)  # also of those who wait


def test_a_batch_that_is_all_there_is_does_not_lock_up():
    with collecting(GAMES[False]) as collector:
        collector.start()
        collector.begin()
        for _ in range(3):
            assert len(collector.take(NUM_ENVS * NUM_STORAGES).slots) == NUM_ENVS * NUM_STORAGES


def test_versions_are_those_at_an_unrolls_beginning():
    with collecting(GAMES[True]) as collector:
        collector.policy_version = 7
        collector.start()
        collector.begin()
        waiting.until(lambda: len(collector._waiting) == NUM_ENVS)
        collector.policy_version = 8
        before = collector.take(NUM_ENVS * NUM_STORAGES)
        after = collector.take(NUM_ENVS)
    assert set(before.policy_versions) == {7}
    assert set(after.policy_versions) == {8}


def test_another_collector_goes_on_with_new_episodes_and_new_noise():
    with collecting(GAMES[True]) as first:
        first.start()
        first.begin()
        take_unrolls(first, 2)
        waiting.until(lambda: len(first._waiting) == NUM_ENVS)
        state = first.state(0)
        played = [first.workers.board.ledger.place(slot).episode for slot in range(NUM_ENVS)]
        numbers = state["unroll/number"].tolist()
    with collecting(GAMES[True]) as second:
        playing = second.restore(state, 0)
        second.start()
        second.begin()
        of_slot = take_unrolls(second, 2)
    for slot, unrolls in enumerate(of_slot):
        assert playing[slot][0].episode == played[slot] + 1
        assert playing[slot][1].shape == (0, 1)
        assert_replayed(GAMES[True], slot, unrolls, first_episode=played[slot] + 1)
        counter = (numbers[slot] + 1) * NUM_ENVS + slot
        noise = draw_noise(counter, (SYNC_INTERVAL, 3))
        expected = np.argmax(unrolls[0].policy["logits"] + noise, axis=-1)
        np.testing.assert_array_equal(unrolls[0].action, expected)


@pytest.mark.slow
@pytest.mark.parametrize("time_limit", [False, True])
@pytest.mark.parametrize(
    "where", ["before step", "after reset", "before move", "after move", "after enqueue"]
)
def test_wherever_an_executor_dies_nothing_is_lost(where, time_limit):
    game = broken_games.DiesNowAndThen(3, 5, time_limit=time_limit, where=where, probability=0.03)
    with collecting(game, crash_limit=1000) as collector:
        collector.start()
        collector.begin()
        of_slot = take_unrolls(collector, 6)
        while not collector.workers.activity()["executor/crashes"]:  # none by chance so far
            for unrolls, more in zip(of_slot, take_unrolls(collector, 1), strict=True):
                unrolls += more
    for slot, unrolls in enumerate(of_slot):
        assert_replayed(GAMES[time_limit], slot, unrolls)
    assert_gone(collector)


def test_the_death_of_an_executor_whose_slots_all_wait_is_survived():
    with collecting(GAMES[True]) as collector:
        collector.start()
        collector.begin()
        waiting.until(lambda: len(collector._waiting) == NUM_ENVS)
        os.kill(pids(collector)[0], signal.SIGKILL)
        of_slot = take_unrolls(collector, 2 * NUM_STORAGES)
    for slot, unrolls in enumerate(of_slot):
        assert_replayed(GAMES[True], slot, unrolls)


def test_episodes_that_were_cut_short_are_counted_right():
    tracker = EpisodeTracker(NUM_ENVS, SEED)
    records = []
    with collecting(broken_games.KeepsADiary(3, 5)) as collector:
        collector.start()
        collector.begin()
        moves, seen = collector.workers.board.ledger.moves, 0
        while not any(math.isnan(record.score) for record in records[: -4 * NUM_ENVS]):
            # Not while its successor starts; but again, if all its episodes were just beginning.
            if moves[0] > seen + 10 and not any(math.isnan(record.score) for record in records):
                os.kill(pids(collector)[0], signal.SIGKILL)
                seen = moves[0]
            unrolls = collector.take(NUM_ENVS)
            records += tracker.add(unrolls.rollout, 0, unrolls.slots, collector.cut_short(0))
    unknown = [record for record in records if math.isnan(record.score)]
    assert unknown
    assert tracker.finished == len(records) - len(unknown)
    for slot in range(NUM_ENVS):
        of_slot = [record for record in records if record.env == slot]
        assert [record.episode for record in of_slot] == list(range(len(of_slot)))
    for record in records:
        playing = playback.Playback(GAMES[False].make(), GAMES[False].spec, record)
        assert len(list(playing)) == 1 + record.length
        assert playing.disagreements() == []  # the seed is the right one
        assert bool(playing.last.ending) == (record not in unknown)


def test_a_policy_that_raises_ends_the_wait():
    class BrokenPolicy:
        draw_noise = make_policy().draw_noise

        def act(self, observation, noise, state):
            raise FloatingPointError("no numbers left")

    with collecting(GAMES[True], BrokenPolicy()) as collector:
        collector.start()
        collector.begin()
        with pytest.raises(FloatingPointError, match="no numbers left"):
            collector.take(1)
    assert_gone(collector)


@pytest.mark.slow
def test_an_environment_that_always_fails_ends_the_wait():
    with collecting(broken_games.BreaksInStep(3)) as collector:
        collector.start()
        collector.begin()
        with pytest.raises(WorkerError, match="it died there 5 times"):
            take_unrolls(collector, 10)
    assert_gone(collector)


def test_parameters_may_change_meanwhile():
    """Logits and values are then those of one version or the other in each whole variable."""
    make = functools.partial(torsos.mlp, units=(8,))
    behaviour, other = (ActorCritic(GAMES[True].spec, seed, make) for seed in (0, 1))
    policy = Policy(behaviour, NUM_ENVS)
    with collecting(GAMES[True], policy) as collector:
        collector.start()
        collector.begin()
        for _ in range(20):
            unrolls = collector.take(NUM_ENVS)
            assert np.isfinite(unrolls.rollout.policy["logits"]).all()
            behaviour.copy_from(other)
        behaviour.copy_from(other)
        take_unrolls(collector, NUM_STORAGES + 1)  # none that was begun before
        rollout = collector.take(NUM_ENVS).rollout
        expected, _ = other(rollout.observation[:-1].reshape(-1, 3))
    logits = rollout.policy["logits"].reshape(-1, 3)
    np.testing.assert_allclose(logits, expected["logits"], rtol=1e-5, atol=1e-6)
