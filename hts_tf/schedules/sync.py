"""The `sync` schedule: rollout and learning take turns, policy lag 0."""

import time

from hts_tf.configurables import configurable
from hts_tf.schedules.schedule import Round, Schedule, Span


@configurable(denylist=["num_envs"])
class Sync(Schedule):
    """Synchronous RL, as in PPO and A2C: what HTS-RL is compared with.

    In round j the executors collect D(j) with theta(j), and the learner waits; then it computes
    theta(j+1) from D(j), and they wait. Every env step waits for the slowest environment, too.
    """

    policy_lag = 0
    num_storages = 1
    lockstep = True

    def run_round(self, j: int) -> Round:
        """See base class."""
        self._collector.begin(j)
        start = time.perf_counter()
        self._collector.wait()
        # The sync point: from here to the next round, no worker has anything to do.
        waited = time.perf_counter()
        storage = self._collector.storage(j)
        logs = self._learner.step(storage)
        learnt = time.perf_counter()
        self._behaviour.copy_from(self._learner.agent)
        return Round(
            collected=storage,
            logs=logs,
            policy_lag=0,
            learning=Span(waited, learnt),
            waiting=Span(start, waited),
        )
