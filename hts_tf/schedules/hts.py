"""The `hts` schedule: rollout and learning at the same time, policy lag exactly 1."""

import time

import numpy as np

from hts_tf.configurables import configurable
from hts_tf.schedules.schedule import Round, Schedule, Span


@configurable(denylist=["num_envs"])
class HTS(Schedule):
    """High-Throughput Synchronous RL (Liu et al. 2020, arXiv 2012.09849, section 4).

    In round j the executors collect D(j) with the behaviour parameters theta(j), while the
    learner computes theta(j+1) from D(j-1). At the sync point the two storages are swapped and
    the behaviour agent becomes theta(j+1).

    Round 0 only collects, so theta(1) = theta(0), and round 1 learns at the very parameters that
    collected. From round 2 on, the parameters that collected D(j-1), theta(j-1), are neither the
    target agent's, theta(j), nor the behaviour agent's, theta(j) too. Where the learner takes
    its gradient there, its `gradient_agent` keeps them, as the read storage keeps their data.
    """

    policy_lag = 1  # but for the first update
    num_storages = 2

    def __init__(self, num_envs: int) -> None:
        """See base class."""
        super().__init__(num_envs)
        # How many updates the policy had had that filled each storage.
        self._policy_versions = np.zeros(self.num_storages, np.int64)

    def state(self) -> dict[str, np.ndarray]:
        """See base class."""
        return {"run/policy_versions": self._policy_versions}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """See base class."""
        self._policy_versions[...] = state["run/policy_versions"]

    @property
    def num_rounds(self) -> int:
        """See base class; one more, as the first only collects, and the last only learns."""
        return self._learner.num_updates + 1

    def run_round(self, j: int) -> Round:
        """See base class."""
        collecting = j < self._learner.num_updates
        if collecting:
            # The behaviour agent was copied from the target agent at the last sync point.
            self._policy_versions[j % 2] = self._learner.updates
            self._collector.begin(j)
        start = time.perf_counter()
        logs = None
        lag = None
        if j > 0:
            lag = self._learner.updates - int(self._policy_versions[(j - 1) % 2])
            logs = self._learner.step(self._collector.storage(j - 1))
        learnt = time.perf_counter()
        if collecting:
            self._collector.wait()
        # The sync point: every environment has finished, so no actor reads the parameters now.
        if self._learner.gradient_agent is not None:
            # Before they are gone: the parameters that collected what is learnt from next.
            self._learner.gradient_agent.copy_from(self._behaviour)
        self._behaviour.copy_from(self._learner.agent)
        return Round(
            collected=self._collector.storage(j) if collecting else None,
            logs=logs,
            policy_lag=lag,
            learning=Span(start, learnt),
            waiting=Span(learnt, time.perf_counter()),
        )
