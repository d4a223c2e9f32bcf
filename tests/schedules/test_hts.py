"""Which parameters collect what, and where its gradient is taken."""

import pytest

from hts_tf.algorithms import a2c
from hts_tf.learner import Learner
from hts_tf.schedules import hts
from tests.algorithms import reference

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_INTERVALS = 4


class Collector:
    """Collects an interval the moment it is asked to, and notes with which parameters."""

    def __init__(self, behaviour):
        self._behaviour = behaviour
        empty = reference.make_rollout(behaviour)
        self.storages = [empty, empty]
        self.collected_by = []

    def begin(self, interval):
        self.collected_by.append(self._behaviour.parameters_hash())
        self.storages[interval % 2] = reference.make_rollout(self._behaviour, seed=interval)

    def wait(self):
        pass


class Watched(Learner):
    """A learner that notes what it learns from, at which parameters, and on top of which."""

    seen = ()

    def step(self, rollout):
        at = self.gradient_network and self.gradient_network.parameters_hash()
        self.seen += ((rollout, at, self.network.parameters_hash()),)
        return super().step(rollout)


def run(gradient_network):
    target, behaviour = reference.make_network(), reference.make_network()
    collector = Collector(behaviour)
    algorithm = a2c.A2C(learning_rate=0.01)
    learner = Watched(target, algorithm, collector.storages[0], NUM_INTERVALS, 0, gradient_network)
    schedule = hts.HTS(collector, learner, behaviour)
    rounds = [
        schedule.run_round(j, NUM_INTERVALS) for j in range(schedule.num_rounds(NUM_INTERVALS))
    ]
    return collector, learner, rounds


def test_the_gradient_is_taken_at_the_parameters_that_collected():
    collector, learner, rounds = run(gradient_network=reference.make_network())
    assert [at for _, at, _ in learner.seen] == collector.collected_by
    # theta(0) collects both D(0) and D(1); every later interval has parameters of its own.
    assert collector.collected_by[0] == collector.collected_by[1]
    assert len(set(collector.collected_by)) == NUM_INTERVALS - 1
    # The target network is not ahead in the first update, and one update ahead in all others.
    targets = [target for _, _, target in learner.seen]
    assert targets[0] == collector.collected_by[0]
    assert targets[:-1] == collector.collected_by[1:]
    assert [r.policy_lag for r in rounds] == [None, 0, 1, 1, 1]


def test_delayed_updates_against_the_plain_ones():
    """The first update is without lag, so it is the same to the bit; the second one is not."""
    _, delayed, _ = run(gradient_network=reference.make_network())
    _, plain, _ = run(gradient_network=None)
    starts = zip(delayed.seen, plain.seen, strict=True)
    assert [one[2] == other[2] for one, other in starts] == [True, True, False, False]


def test_gradient_network_is_part_of_the_learners_state():
    _, learner, _ = run(gradient_network=reference.make_network())
    kept = {id(variable) for variable in learner.variables()}
    assert {id(v) for v in learner.gradient_network.variables} < kept
    assert learner.variables()[: len(learner.network.variables)] == learner.network.variables
