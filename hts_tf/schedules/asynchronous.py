"""The `async` schedule: nobody waits for anybody, policy lag as it comes."""

import time
from typing import Annotated

from annotated_types import Ge, Le

from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.configurables import configurable
from hts_tf.schedules.schedule import Round, Schedule, Span


@configurable(denylist=["num_envs"])
class Asynchronous(Schedule):
    """IMPALA (Espeholt et al. 2018, arXiv 1802.01561): unrolls are learnt from as they complete.

    There are no sync points. A round is an update: the learner takes the next `batch_unrolls`
    completed unrolls, of whatever environments, and gives its new parameters to the behaviour
    agent at once, while actors use it. A variable is read and assigned as a whole, but an
    unroll has steps of several versions, and a step may even see some layers of one version and
    some of the next: algorithms correct with the logits that were stored for each step.

    So no two runs are alike. A run that is stopped goes on from its parameters, but unrolls that
    were not learnt from are lost, and every environment begins a new episode.
    """

    policy_lag = None
    collector_type = UnrollCollector

    def __init__(self, num_envs: int, batch_unrolls: Annotated[int, Ge(1), Le(8191)] = 16) -> None:
        """Checks the settings.

        Args:
          num_envs: environments stepped at once.
          batch_unrolls: unrolls in an update.

        Raises:
          ConfigError: a setting is out of range.
        """
        super().__init__(num_envs)
        self.rollout_width = batch_unrolls
        # Enough for a batch to be complete while each environment writes a further unroll.
        self.num_storages = 1 + -(-batch_unrolls // num_envs)
        self._has_begun = False

    def run_round(self, j: int) -> Round:
        """See base class; there is no sync point at its end."""
        if not self._has_begun:
            self._has_begun = True
            self._collector.policy_version = self._learner.updates
            self._collector.begin()
        start = time.perf_counter()
        unrolls = self._collector.take(self.rollout_width)
        waited = time.perf_counter()
        lag = self._learner.updates - unrolls.policy_versions
        logs = self._learner.step(unrolls.rollout)
        learnt = time.perf_counter()
        self._behaviour.copy_from(self._learner.agent)
        self._collector.policy_version = self._learner.updates
        return Round(
            collected=unrolls.rollout,
            logs={**logs, "policy_lag_max": float(lag.max())},
            policy_lag=float(lag.mean()),
            learning=Span(waited, learnt),
            waiting=Span(start, waited),
            slots=unrolls.slots,
        )
