"""Several players in each environment: what is stored of them, and what is learnt from."""

import functools
import os
import signal

import numpy as np
import pytest

from hts_tf import seeding, trees
from hts_tf.benchmarks.kernel import executors_of
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.policy import Policy
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.environments import checked
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake
from tests.extensions.relay import Relay

pytestmark = pytest.mark.usefixtures("op_determinism")

SYNC_INTERVAL, NUM_ENVS, NUM_INTERVALS, SEED = 4, 5, 7, 11
GAME = Relay()
P = GAME.num_players


@functools.cache
def make_policy():
    torso = functools.partial(torsos.mlp, units=(8,))
    agent = ActorCritic(GAME.spec, 0, torso, core=functools.partial(cores.gru, units=8))
    shake(agent.variables, np.random.default_rng(0))
    return Policy(agent, NUM_ENVS * P), agent.step


def make_workers(num_executors, num_actors, batch_size, **options):
    policy, step = make_policy()
    crew = Crew(NUM_ENVS, SYNC_INTERVAL, num_executors, num_actors, batch_size, **options)
    return Workers(GAME, step, policy, SEED, crew)


def collect(num_executors=2, num_actors=2, batch_size=3, kill=False, **options):
    collector = Collector(make_workers(num_executors, num_actors, batch_size, **options))
    try:
        collector.start()
        storages = []
        for interval in range(NUM_INTERVALS):
            collector.begin(interval)
            if kill and interval % 2:
                for executor in executors_of(os.getpid())[:1]:
                    os.kill(executor, signal.SIGKILL)
            collector.wait()
            storages.append(trees.map(np.copy, collector.storage(interval)))
        assert (collector.workers.activity()["executor/crashes"] > 0) == kill
        return storages
    finally:
        collector.close()


@functools.cache
def collected():
    return collect()


def joined():
    """All intervals, one after the other, [T, N, P, ...]."""
    return trees.joined(_without_last_rows())


def _without_last_rows():
    return [trees.map(lambda array: array[:SYNC_INTERVAL], storage) for storage in collected()]


def zero_state():
    return {"h": np.zeros((P, 8), np.float32)}


def test_it_is_what_one_process_would_have_played():
    rollout, policy = joined(), make_policy()[0]
    episodes = valued = left_early = 0
    for slot in range(NUM_ENVS):
        game, observation = checked.make(GAME), GAME.spec.new_observation()
        game.reset(seeding.episode_seed(SEED, slot, 0), observation)
        episode, state, there = 0, zero_state(), np.ones(P, bool)
        for t in range(SYNC_INTERVAL * NUM_INTERVALS):
            now = trees.map(lambda array, t=t, slot=slot: array[t, slot], rollout)
            np.testing.assert_array_equal(now.observation, observation)
            np.testing.assert_array_equal(now.state["h"], state["h"])
            np.testing.assert_array_equal(now.counts, there)
            answer = policy.act(observation, np.zeros((P, 3), np.float32), state)
            np.testing.assert_array_equal(now.value, answer.value)
            np.testing.assert_array_equal(now.policy["logits"], answer.policy["logits"])
            state = answer.state
            result = game.step(now.action, observation)
            for name in ("reward", "score", "terminated", "truncated"):
                np.testing.assert_array_equal(getattr(now, name), getattr(result, name))
            there = there & ~(result.terminated | result.truncated)
            if result.truncated.any():
                last = policy.act(observation, np.zeros((P, 3), np.float32), state)
                cut = result.truncated
                np.testing.assert_array_equal(now.truncation_value[cut], last.value[cut])
                valued += 1
            if result.is_over:
                episode, state, there = episode + 1, zero_state(), np.ones(P, bool)
                game.reset(seeding.episode_seed(SEED, slot, episode), observation)
            else:
                left_early += not there.all()
        episodes += episode
    assert episodes > 2 * NUM_ENVS
    assert valued > NUM_ENVS
    assert left_early > NUM_ENVS


def test_those_who_have_left_get_nothing_and_count_for_nothing():
    rollout = joined()
    assert not rollout.counts.all()
    assert not rollout.reward[~rollout.counts].any()
    assert rollout.terminated[~rollout.counts].all()
    assert rollout.reward[rollout.counts].all()


@pytest.mark.parametrize(
    ("num_executors", "num_actors", "batch_size", "kill"),
    [(1, 1, 1, False), (5, 3, 2, False), (3, 2, 4, True), (2, 2, 5, True)],
)
def test_whoever_works(num_executors, num_actors, batch_size, kill):
    for one, other in zip(
        collect(num_executors, num_actors, batch_size, kill), collected(), strict=True
    ):
        for (name, a), (_, b) in zip(trees.named(one), trees.named(other), strict=True):
            if name != "truncation_value":
                assert a.tobytes() == b.tobytes(), name
        cut = one.truncated
        assert one.truncation_value[cut].tobytes() == other.truncation_value[cut].tobytes()


def test_in_lockstep():
    for one, other in zip(collect(lockstep=True), collected(), strict=True):
        assert one.action.tobytes() == other.action.tobytes()
        assert one.value.tobytes() == other.value.tobytes()


def test_unrolls():
    collector = UnrollCollector(make_workers(2, 2, 3, num_storages=3))
    try:
        collector.start()
        collector.begin()
        for _ in range(6):
            unrolls = collector.take(NUM_ENVS)
            rollout = unrolls.rollout
            assert rollout.action.shape == (SYNC_INTERVAL, NUM_ENVS, P)
            over = (rollout.terminated | rollout.truncated).all(axis=2)
            for column in range(NUM_ENVS):
                for t in range(SYNC_INTERVAL - 1):
                    gone = (rollout.terminated | rollout.truncated)[t, column]
                    expected = np.ones(P, bool) if over[t, column] else ~gone
                    np.testing.assert_array_equal(rollout.counts[t + 1, column], expected)
    finally:
        collector.close()
