"""What agents remember, from observation to observation, while others crash and come again."""

import functools
import itertools
import os
import signal

import numpy as np
import pytest

from hts_tf import trees
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.policy import Policy
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.environments import synthetic
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake

pytestmark = pytest.mark.usefixtures("op_determinism")

# Episodes end at every place of the intervals, also the last.
SYNC_INTERVAL, NUM_ENVS, NUM_INTERVALS = 4, 5, 6
GAMES = {
    time_limit: synthetic.Synthetic(num_actions=3, episode_steps=5, time_limit=time_limit)
    for time_limit in (False, True)
}


@functools.cache
def make_agent():
    torso = functools.partial(torsos.mlp, units=(8,))
    agent = ActorCritic(GAMES[True].spec, 0, torso, core=functools.partial(cores.lstm, units=8))
    shake(agent.variables, np.random.default_rng(0))
    return agent


@functools.cache
def make_policy():
    return Policy(make_agent(), 8)


def make_workers(game, num_executors, num_actors, batch_size, **options):
    crew = Crew(NUM_ENVS, SYNC_INTERVAL, num_executors, num_actors, batch_size, **options)
    return Workers(game, make_agent().step, make_policy(), 11, crew)


def copied(rollout):
    return trees.map(np.copy, rollout)


def collect(game, num_executors=2, num_actors=2, batch_size=3, kill=False):
    collector = Collector(make_workers(game, num_executors, num_actors, batch_size))
    try:
        collector.start()
        storages = []
        for interval in range(NUM_INTERVALS):
            collector.begin(interval)
            if kill and interval % 2:
                for executor in executors_of(os.getpid())[:1]:
                    os.kill(executor, signal.SIGKILL)
            collector.wait()
            storages.append(copied(collector.storage(interval)))
        assert (collector.workers.activity()["executor/crashes"] > 0) == kill
        return storages
    finally:
        collector.close()


@functools.cache
def collected(time_limit):
    return collect(GAMES[time_limit])


def check_memory(rollout):
    """Every state follows from the one before, or is that of an episode's beginning."""
    ended = rollout.terminated | rollout.truncated
    noise = np.zeros((1, 3), np.float32)
    for t, slot in itertools.product(range(len(ended)), range(ended.shape[1])):
        state = trees.map(lambda x, t=t, slot=slot: x[t, slot], rollout.state)
        after = trees.map(lambda x, t=t, slot=slot: x[t + 1, slot], rollout.state)
        answer = make_policy().act(rollout.observation[t, slot], noise, state)
        expected = answer.state
        if ended[t, slot]:
            expected = trees.map(np.zeros_like, state)
        for name in ("h", "c"):
            np.testing.assert_array_equal(after[name], expected[name])
        np.testing.assert_array_equal(answer.value, rollout.value[t, slot])
        np.testing.assert_array_equal(answer.policy["logits"], rollout.policy["logits"][t, slot])


@pytest.mark.parametrize("time_limit", GAMES)
def test_each_observation_counts_once(time_limit):
    storages = collected(time_limit)
    assert not any(array.any() for array in trees.map(lambda x: x[0], storages[0].state).values())
    for storage in storages:
        check_memory(storage)
    for before, after in itertools.pairwise(storages):
        for name in ("h", "c"):
            np.testing.assert_array_equal(before.state[name][-1], after.state[name][0])
    assert all(np.abs(storage.state["h"]).max() > 0.01 for storage in storages)


def test_the_last_observation_of_a_truncated_episode_is_valued_with_the_past_in_mind():
    noise = np.zeros((1, 3), np.float32)
    found = 0
    for storage in collected(True):
        for t, slot, _ in np.argwhere(storage.truncated):
            # The last observation itself is not kept, but shows one of three things.
            state = trees.map(lambda x, t=t, slot=slot: x[t, slot], storage.state)
            after = make_policy().act(storage.observation[t, slot], noise, state).state
            values = [
                make_policy().act(np.eye(3, dtype=np.float32)[[i]], noise, after).value[0]
                for i in range(3)
            ]
            assert storage.truncation_value[t, slot, 0] in values
            found += 1
    assert found == NUM_ENVS * (SYNC_INTERVAL * NUM_INTERVALS // 5)


@pytest.mark.parametrize("crew", [(1, 1, 1), (5, 3, 5), (2, 1, 2)], ids=str)
@pytest.mark.parametrize("time_limit", GAMES)
def test_whoever_works_the_same_is_remembered(crew, time_limit):
    assert_same(collect(GAMES[time_limit], *crew), collected(time_limit))


def test_a_dead_executor_takes_no_memories_along():
    assert_same(collect(GAMES[True], kill=True), collected(True))


def assert_same(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        same = trees.map(lambda a, b: a.tobytes() == b.tobytes(), one.state, other.state)
        assert same == {"h": True, "c": True}
        assert one.action.tobytes() == other.action.tobytes()


def test_unrolls_start_from_what_was_remembered():
    workers = make_workers(GAMES[True], 2, 2, 3, num_storages=2)
    collector = UnrollCollector(workers)
    try:
        collector.start()
        collector.begin()
        last = {}
        for _ in range(3 * NUM_ENVS):
            unroll = collector.take(1)
            check_memory(unroll.rollout)
            slot = unroll.slots[0]
            if slot in last:
                for name in ("h", "c"):
                    np.testing.assert_array_equal(last[slot][name], unroll.rollout.state[name][0])
            last[slot] = trees.map(lambda x: x[-1], unroll.rollout.state)
    finally:
        collector.close()
