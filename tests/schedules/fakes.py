"""A collector and a learner that say with which parameters things happen."""

import numpy as np

from hts_tf import trees
from hts_tf.learner import Learner
from tests.algorithms import reference


def make_storage(behaviour, seed=0):
    """[T, N, 1, ...], collected by an agent."""
    return trees.map(lambda x: np.expand_dims(x, 2), reference.make_rollout(behaviour, seed))


class Collector:
    """Collects an interval the moment it is asked to, and notes with which parameters."""

    def __init__(self, behaviour, num_storages):
        self._behaviour = behaviour
        self.storages = [make_storage(behaviour)] * num_storages
        self.collected_by = []

    def storage(self, interval):
        return self.storages[interval % len(self.storages)]

    def begin(self, interval):
        self.collected_by.append(self._behaviour.parameters_hash())
        k = interval % len(self.storages)
        self.storages[k] = make_storage(self._behaviour, seed=interval)

    def wait(self):
        pass


class Watched(Learner):
    """A learner that notes what it learns from, at which parameters, and on top of which."""

    seen = ()

    def step(self, rollout):
        at = self.gradient_agent and self.gradient_agent.parameters_hash()
        self.seen += ((rollout, at, self.agent.parameters_hash()),)
        return super().step(rollout)


def run(schedule_type, algorithm, num_intervals, gradient_agent=None):
    """Runs a schedule to its end; returns its collector, its learner and its rounds."""
    target, behaviour = reference.make_agent(), reference.make_agent()
    collector = Collector(behaviour, schedule_type.num_storages)
    example = collector.storages[0]
    learner = Watched(target, algorithm, example, num_intervals, 0, gradient_agent)
    schedule = schedule_type(num_envs=example.action.shape[1])
    schedule.connect(collector, learner, behaviour)
    return collector, learner, [schedule.run_round(j) for j in range(schedule.num_rounds)]
