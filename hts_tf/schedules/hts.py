"""The `hts` schedule: rollout and learning at the same time, policy lag exactly 1."""

import time
from typing import NamedTuple

import gin
import numpy as np

from hts_tf import networks, specs
from hts_tf.collector import Collector
from hts_tf.learner import Learner


class Round(NamedTuple):
    """What happened between two sync points.

    Attributes:
      collected: the experience that was collected, or None in the last round.
      logs: the learner's scalars, or None where there was nothing to learn from yet.
      policy_lag: updates by which the learner was ahead of the policy that collected what it
        learnt from; None where there was nothing to learn from.
      learn_sec: seconds in the update.
      wait_sec: seconds that the learner waited for the rollout.
    """

    collected: specs.Rollout | None
    logs: dict[str, float] | None
    policy_lag: int | None
    learn_sec: float
    wait_sec: float


@gin.configurable
class HTS:
    """High-Throughput Synchronous RL (Liu et al. 2020, arXiv 2012.09849, section 4).

    In round j the executors collect D(j) with the behaviour parameters theta(j), while the
    learner computes theta(j+1) from D(j-1). At the sync point the two storages are swapped and
    the behaviour network becomes theta(j+1).

    Round 0 only collects, so theta(1) = theta(0), and round 1 learns at the very parameters that
    collected. From round 2 on, the parameters that collected D(j-1), theta(j-1), are neither the
    target network's, theta(j), nor the behaviour network's, theta(j) too. Where the learner takes
    its gradient there, its `gradient_network` keeps them, as the read storage keeps their data.

    Attributes:
      policy_lag: updates from the policy that collects to the one that learns, but for round 1.
      policy_versions: [2] int64, how many updates the policy had had that filled each storage.
    """

    policy_lag = 1

    def __init__(
        self, collector: Collector, learner: Learner, behaviour: networks.ActorCritic
    ) -> None:
        """Only remembers its arguments.

        Args:
          collector: started, or about to be.
          learner: of the target network.
          behaviour: the network that the actors run.
        """
        self._collector = collector
        self._learner = learner
        self._behaviour = behaviour
        self.policy_versions = np.zeros(2, np.int64)

    @staticmethod
    def num_rounds(num_intervals: int) -> int:
        """Returns the rounds of a run: the last one only learns."""
        return num_intervals + 1

    def run_round(self, j: int, num_intervals: int) -> Round:
        """Runs one round, up to and including its sync point.

        Args:
          j: number of the round, from 0.
          num_intervals: how many intervals the run collects.

        Raises:
          WorkerError: an executor or actor failed.
        """
        collecting = j < num_intervals
        if collecting:
            # The behaviour network was copied from the target network at the last sync point.
            self.policy_versions[j % 2] = self._learner.updates
            self._collector.begin(j)
        start = time.perf_counter()
        logs = None
        lag = None
        if j > 0:
            lag = self._learner.updates - int(self.policy_versions[(j - 1) % 2])
            logs = self._learner.step(self._collector.storages[(j - 1) % 2])
        learnt = time.perf_counter()
        if collecting:
            self._collector.wait()
        # The sync point: every environment has finished, so no actor reads the parameters now.
        if self._learner.gradient_network is not None:
            # Before they are gone: the parameters that collected what is learnt from next.
            self._learner.gradient_network.copy_from(self._behaviour)
        self._behaviour.copy_from(self._learner.network)
        return Round(
            collected=self._collector.storages[j % 2] if collecting else None,
            logs=logs,
            policy_lag=lag,
            learn_sec=learnt - start,
            wait_sec=time.perf_counter() - learnt,
        )
