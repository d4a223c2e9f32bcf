"""What a schedule is: who waits for whom."""

import abc
from typing import Any, NamedTuple

import numpy as np

from hts_tf import rollouts
from hts_tf.collecting.collector import Collector
from hts_tf.learner import Learner
from hts_tf.networks.agent import Agent


class Span(NamedTuple):
    """From one `time.perf_counter` to another, in seconds."""

    begin: float
    end: float

    @property
    def sec(self) -> float:
        """Its length."""
        return self.end - self.begin


class Round(NamedTuple):
    """What happened between two sync points.

    Attributes:
      collected: the experience that was collected, or None in the last round of `hts`.
      logs: the learner's scalars, or None where there was nothing to learn from yet.
      policy_lag: updates by which the learner was ahead of the policy that collected what it
        learnt from in this round, on average; None where there was nothing to learn from.
      learning: when the learner made its update.
      waiting: when it waited for the rollout; where there are sync points, one ends it.
      slots: [N], the environments that `collected` is of; None for each of them, in order.
    """

    collected: rollouts.Rollout | None
    logs: dict[str, float] | None
    policy_lag: float | None
    learning: Span
    waiting: Span
    slots: np.ndarray | None = None

    @property
    def end(self) -> float:
        """When it was over."""
        return max(self.learning.end, self.waiting.end)


class Schedule(abc.ABC):
    """Interleaves rollout and learning.

    Attributes:
      policy_lag: updates from the policy that collects to the one that learns; None where it
        varies, which no run can repeat.
      collector_type: the collector that the schedule works with.
      num_storages: how many storages the collector fills in turn; if it is one, the class says so.
      lockstep: whether actors answer only when every environment is ready.
      rollout_width: N of the rollouts that the learner gets: environments, or unrolls, of each of
        which there is a column for each player.
    """

    policy_lag: int | None
    collector_type: type = Collector
    num_storages: int
    lockstep = False

    def __init__(self, num_envs: int) -> None:
        """Takes the number of environments that are stepped at once."""
        self.rollout_width = num_envs

    def connect(self, collector: Any, learner: Learner, behaviour: Agent) -> None:
        """Gives the schedule what it is to drive; once, before the first round.

        Args:
          collector: of the schedule's `collector_type`; started, or about to be.
          learner: of the target agent.
          behaviour: the agent that the actors run.
        """
        self._collector = collector
        self._learner = learner
        self._behaviour = behaviour

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint; only between rounds."""
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:  # noqa: B027  most have none
        """Goes on from a saved state."""

    @property
    def num_rounds(self) -> int:
        """How many a run has: one for each update."""
        return self._learner.num_updates

    @abc.abstractmethod
    def run_round(self, j: int) -> Round:
        """Runs one round, up to and including its sync point.

        Args:
          j: number of the round, from 0.

        Raises:
          WorkerError: an executor or actor failed.
        """
