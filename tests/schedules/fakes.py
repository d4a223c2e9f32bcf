"""A collector and a learner that say with which parameters things happen."""

from hts_tf.learner import Learner
from tests.algorithms import reference


class Collector:
    """Collects an interval the moment it is asked to, and notes with which parameters."""

    def __init__(self, behaviour, num_storages):
        self._behaviour = behaviour
        self.storages = [reference.make_rollout(behaviour)] * num_storages
        self.collected_by = []

    def storage(self, interval):
        return self.storages[interval % len(self.storages)]

    def begin(self, interval):
        self.collected_by.append(self._behaviour.parameters_hash())
        k = interval % len(self.storages)
        self.storages[k] = reference.make_rollout(self._behaviour, seed=interval)

    def wait(self):
        pass


class Watched(Learner):
    """A learner that notes what it learns from, at which parameters, and on top of which."""

    seen = ()

    def step(self, rollout):
        at = self.gradient_network and self.gradient_network.parameters_hash()
        self.seen += ((rollout, at, self.network.parameters_hash()),)
        return super().step(rollout)


def run(schedule_type, algorithm, num_intervals, gradient_network=None):
    """Runs a schedule to its end; returns its collector, its learner and its rounds."""
    target, behaviour = reference.make_network(), reference.make_network()
    collector = Collector(behaviour, schedule_type.num_storages)
    example = collector.storages[0]
    learner = Watched(target, algorithm, example, num_intervals, 0, gradient_network)
    schedule = schedule_type(num_envs=example.action.shape[1])
    schedule.connect(collector, learner, behaviour)
    rounds = [
        schedule.run_round(j, num_intervals) for j in range(schedule.num_rounds(num_intervals))
    ]
    return collector, learner, rounds
