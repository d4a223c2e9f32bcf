"""A schedule with none of the faults that HTS could have: all take turns, and yet it lags."""

import collections

from hts_tf.configurables import configurable
from hts_tf.schedules.schedule import Round
from hts_tf.schedules.sync import Sync


@configurable(denylist=["num_envs"])
class Lagged(Sync):
    """D(j) is collected by theta(j - lag), or theta(0) while there is none.

    Checkpoints do not have what is yet to be used: such a run cannot be gone on with.
    """

    def __init__(self, num_envs: int, lag: int = 1) -> None:
        super().__init__(num_envs)
        self.policy_lag = lag
        self._waiting = collections.deque()

    def run_round(self, j: int) -> Round:
        if j == 0:
            self._waiting += [self._parameters()] * self.policy_lag
        outcome = super().run_round(j)
        self._waiting.append(self._parameters())
        for variable, value in zip(self._behaviour.variables, self._waiting.popleft(), strict=True):
            variable.assign(value)
        return outcome._replace(policy_lag=min(j, self.policy_lag))

    def _parameters(self):
        return [variable.numpy() for variable in self._learner.agent.variables]
