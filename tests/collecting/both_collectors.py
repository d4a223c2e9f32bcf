"""What the tests of both collectors share: games, a small policy, what becomes of the workers."""

import functools
import os
import threading

import numpy as np
import pytest

from hts_tf import seeding
from hts_tf.collecting.policy import Policy
from hts_tf.environments import synthetic
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests import waiting

SEED = 11
# Episodes of 5 steps, so that they end at every place of the intervals of 4 steps, also the last.
SYNC_INTERVAL, NUM_ENVS = 4, 5
GAMES = {
    time_limit: synthetic.Synthetic(num_actions=3, episode_steps=5, time_limit=time_limit)
    for time_limit in (False, True)
}


@functools.cache
def make_network():
    return ActorCritic(GAMES[False].spec, 0, functools.partial(torsos.mlp, units=(8,)))


@functools.cache
def make_policy():
    return Policy(make_network(), 8)


def draw_noise(counter, shape):
    return seeding.generator(SEED, "noise", counter).gumbel(size=shape).astype(np.float32)


def value_of(observation):
    """Of one observation, to the bit."""
    return make_policy().act(observation[None], np.zeros((1, 3), np.float32)).value[0]


def pids(collector):
    """Of the executors, once all have been started."""
    waiting.until(lambda: len(collector.workers._pool.pids) == len(collector.workers._pool._tasks))
    return collector.workers._pool.pids


def assert_gone(collector):
    """No process of the collector is left, not even a zombie, and none of its threads."""
    assert collector.workers._pool.pids
    for pid in collector.workers._pool.pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    threads = {*collector.workers._threads, collector.workers._pool._thread}
    assert not threads & set(threading.enumerate())
