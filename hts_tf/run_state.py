"""The state of a run: all that its next round depends on, of all its parts and machines."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hts_tf.collecting import collector as collectors
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.curriculum.curriculum import Progress
from hts_tf.files.keeper import Keeper
from hts_tf.files.workdir import BY_OBSERVER, COMPLETE
from hts_tf.learner import Learner
from hts_tf.networks.agent import Agent
from hts_tf.opponents.pool import Pool
from hts_tf.opponents.roster import met_from
from hts_tf.schedules.schedule import Schedule
from hts_tf.system import terminal
from hts_tf.team import Share, Team, broadcast
from hts_tf.watching.reporter import Reporter

_HISTORY = "run/has_history"  # in a checkpoint: see `board.Board.has_history`


class Parts(NamedTuple):
    """What a run's state is of, on this machine, and what takes it up again.

    Attributes:
      schedule: of rollout and learning.
      collector: of this machine's environments.
      learner: of this machine's shards.
      behaviour: the agent that the actors run.
      pool: of opponents, or None.
      progress: with the tasks, or None.
      keeper: of what is to last.
      reporter: of the run; None where nobody looks, on all machines but the first.
      team: of machines.
      share: of this machine.
    """

    schedule: Schedule
    collector: Collector | UnrollCollector
    learner: Learner
    behaviour: Agent
    pool: Pool | None
    progress: Progress | None
    keeper: Keeper
    reporter: Reporter | None
    team: Team
    share: Share


class RunState:
    """Where a run is, and how it gets there again.

    Attributes:
      next_round: the one that is to be run next.
      is_complete: whether there is none, as the run has come to its end by itself.
      is_stopped: whether it ends here as an observer has asked for that.
      steps_per_round: env steps, of all machines.
    """

    def __init__(self, parts: Parts, steps_per_round: int) -> None:
        """Is at the beginning of a run.

        Args:
          parts: of the run.
          steps_per_round: env steps, of all machines.
        """
        self.next_round = 0
        self.is_complete = False
        self.is_stopped = False
        self._parts = parts
        self.steps_per_round = steps_per_round

    @property
    def env_steps(self) -> int:
        """All that have been made; the last round of `hts` makes none."""
        rounds = min(self.next_round, self._parts.learner.num_updates)
        return rounds * self.steps_per_round

    def go_on_with(self, saved: dict[str, np.ndarray] | None) -> None:
        """Begins the run, or goes on with it, on all machines as the first one does.

        Args:
          saved: what `read` has returned, on the first machine; None or empty to begin.

        Raises:
          ConfigError: it is of another agent, or what to begin with cannot be used.
          MachineLostError: another machine of the team is lost.
        """
        team, learner, keeper = self._parts.team, self._parts.learner, self._parts.keeper
        if team.number == 0 and not saved:
            keeper.give_first_parameters(learner)
            self._begin()
        if team.size > 1:
            met = met_from(saved or {}) if self._parts.pool else []
            files = keeper.snapshots(met) if team.number == 0 else {}
            parameters = {} if saved else learner.state()
            saved, parameters, files = broadcast(team, (saved, parameters, files))
            if team.number > 0:
                keeper.take_snapshots(files)
                if not saved:
                    learner.restore(parameters)
                    self._begin()
        if saved:
            self._restore(saved)

    def _begin(self) -> None:
        self._parts.behaviour.copy_from(self._parts.learner.agent)
        if self._parts.pool:
            self._parts.pool.begin()

    def read(self) -> dict[str, np.ndarray]:
        """Returns all that the next round depends on, of all machines; only between rounds.

        Only to the first machine; where there are several, after all have been told to `keep`.
        """
        if self._parts.team.size > 1:
            return _joined(self._parts.team.kept(wait=True))
        return {**self._own_state(), **self._parts.collector.state(self.next_round)}

    def keep(self) -> None:
        """Has the first machine hold on to what is safe now, as all have come to this sync point.

        What the others bring comes while the next round runs.
        """
        number, team = self.next_round, self._parts.team
        own = self._own_state() if team.number == 0 else {}
        has_history = self._parts.collector.workers.board.has_history[0]
        team.keep((number, self._parts.collector.state(number), own, bool(has_history)))

    def last_kept(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """Returns the last sync point that is safe, its next round and what `read` would have said.

        None on all machines but the first, and where there is no such sync point yet.
        """
        kept = self._parts.team.kept(wait=False)
        if self._parts.team.number > 0 or not kept:
            return None
        return kept[0][0], _joined(kept)

    def _own_state(self) -> dict[str, np.ndarray]:
        """Returns what is in a state of all but the environments; for the first machine."""
        parts = self._parts
        state = {
            "run/next_round": np.array(self.next_round),
            "run/env_steps": np.array(self.env_steps),
            _HISTORY: np.array(parts.collector.workers.board.has_history[0]),
            COMPLETE: np.array(self.is_complete),
            BY_OBSERVER: np.array(self.is_stopped),
        }
        kept = parts.learner, parts.schedule, parts.reporter, parts.keeper
        for part in filter(None, (*kept, parts.pool, parts.progress)):
            state |= part.state()
        return state

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        """Raises: ConfigError: it is of another agent."""
        parts = self._parts
        board = parts.collector.workers.board
        if state.get(_HISTORY, False) and not board.has_history[0]:
            board.has_history[0] = True
            if parts.team.number == 0:
                terminal.warn(
                    "an environment of this run does not keep to its seed, as was found before: "
                    "episodes that were interrupted end as truncated, and results will not repeat",
                    page="your_own_environment.md#what-it-may-not-do",
                )
        self.next_round = int(state["run/next_round"])
        parts.learner.restore(state)
        parts.behaviour.copy_from(parts.learner.agent)
        parts.schedule.restore(state)
        if parts.reporter:
            parts.reporter.restore(state)
        own = collectors.part(state, parts.share.envs) if parts.team.size > 1 else state
        playing = parts.team.all_gather(parts.collector.restore(own, self.next_round))
        parts.keeper.episodes.restore(state, [episode for there in playing for episode in there])
        if parts.pool:
            parts.pool.restore(state, board.met)
        if parts.progress:
            parts.progress.restore(state)
            board.set_task_shares(parts.progress.shares)


def _joined(
    kept: Sequence[tuple[int, dict[str, Any], dict[str, Any], bool]],
) -> dict[str, np.ndarray]:
    """Returns the state of which each machine has kept its part at the same sync point."""
    _, collected, (own, *_), found = zip(*kept, strict=True)
    return {**own, _HISTORY: np.array(any(found)), **collectors.joined(collected)}
