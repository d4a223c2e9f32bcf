"""The pipeline: a training run, round by round."""

import contextlib
import dataclasses
import math
import time

import numpy as np

from hts_tf.collecting.collector import Collector
from hts_tf.collecting.executor_pool import WorkerError
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.curriculum.curriculum import Progress
from hts_tf.files.keeper import Keeper
from hts_tf.learner import Learner
from hts_tf.networks.agent import Agent
from hts_tf.opponents.pool import ITSELF, Pool
from hts_tf.schedules.schedule import Round, Schedule
from hts_tf.system.stop_signals import StopSignals
from hts_tf.watching.reporter import Reporter
from hts_tf.watching.tracer import Tracer


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
      env_steps: made in the whole run.
      updates: of the target agent.
      parameters_sha256: hash of its parameters.
    """

    env_steps: int
    updates: int
    parameters_sha256: str


class Pipeline:
    """Runs the rounds of a schedule, has them shown, and has kept what comes of them.

    It owns every process and all shared memory, until `run` returns or it is closed.

    Attributes:
      collector: of the experience.
      learner: of the target agent.
      signals: that ask it to stop.
    """

    def __init__(
        self,
        schedule: Schedule,
        collector: Collector | UnrollCollector,
        learner: Learner,
        behaviour: Agent,
        keeper: Keeper,
        reporter: Reporter,
        tracer: Tracer | None,
        steps_per_round: int,
        pool: Pool | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Takes its parts, `behaviour` the agent that the actors run; starts nothing."""
        schedule.connect(collector, learner, behaviour)
        self.collector = collector
        self.learner = learner
        self._schedule = schedule
        self._behaviour = behaviour
        self._keeper = keeper
        self._reporter = reporter
        self._tracer = tracer
        self._steps_per_round = steps_per_round
        self._pool = pool
        self._progress = progress
        if progress:
            collector.workers.board.set_task_shares(progress.shares)
        has_sync_points = schedule.policy_lag is not None
        self.signals = StopSignals(
            "at the next sync point" if has_sync_points else "after the next update"
        )
        self._num_rounds = schedule.num_rounds(learner.num_updates)
        self._next_round = 0

    def open(self, configuration: str, scope: dict[str, str]) -> None:
        """Takes the workdir, and goes on with the run that it holds.

        Args:
          configuration: operative, see `operative.text`.
          scope: of reproducibility.

        Raises:
          ConfigError: the workdir cannot be used.
        """
        self._configuration, self._scope = configuration, scope
        state = self._keeper.claim(configuration, scope)
        if state:
            self.restore(state)
        else:
            self._begin()

    def _begin(self) -> None:
        """Takes from other runs what it is to begin with."""
        if self._keeper.give_first_parameters(self.learner):
            self._behaviour.copy_from(self.learner.agent)
        if self._pool:
            self._pool.begin()

    def run(self) -> Result:
        """Trains to the end, or until SIGINT or SIGTERM asks to stop after this round.

        Raises:
          WorkerError: an executor failed again and again in the same place.
          OSError: a file cannot be written; names it.
          KeyboardInterrupt: a second signal asked to stop at once.
        """
        with self.signals:  # until all is closed: a signal must not cut that short
            try:
                self._reporter.begin(self._env_steps(), self._configuration, self._scope)
                self._keeper.begin(self.learner, self._steps_per_round)
                if self._next_round < self._num_rounds:  # else the run is complete
                    self.collector.start()
                self._rounds()
                if self._tracer:
                    self._tracer.finish()
            except WorkerError as error:
                if error.attempt is None:
                    raise
                replay = self._keeper.replay_command(error.attempt, self._next_round)
                raise WorkerError(f"{error}; {replay}") from error
            finally:
                self.close()
        return Result(
            self._env_steps(),
            self.learner.updates,
            self.learner.agent.parameters_hash(),
        )

    def _rounds(self) -> None:
        saved_round = self._next_round
        round_start = time.monotonic()
        while self._next_round < self._num_rounds and self.signals.received is None:
            outcome = self._schedule.run_round(self._next_round, self.learner.num_updates)
            self._next_round += 1
            # From sync point to sync point, with what is done below while the workers wait.
            round_end = time.monotonic()
            seconds, round_start = round_end - round_start, round_end
            self._round_over(outcome, seconds)
            if self._keeper.save_if_due(self._next_round, self.learner.updates, self.state):
                saved_round = self._next_round
        if self._next_round > saved_round:
            self._keeper.save(self._next_round, self.state())

    def _round_over(self, outcome: Round, seconds: float) -> None:
        number = self._next_round - 1
        names = self._pool.names if self._pool else [ITSELF]
        ended = self._keeper.round_over(outcome, number, self.collector.cut_short(number), names)
        board = self.collector.workers.board
        known = [episode for episode in ended if not math.isnan(episode.score)]
        if self._progress:
            self._progress.update((episode.task, episode.score) for episode in known)
            board.set_task_shares(self._progress.shares)
        if self._pool:
            rivals = board.environment.rivals_of_tasks
            results = [(e.opponent, e.score) for e in known if not rivals or rivals[e.task]]
            self._pool.update(results, self._behaviour, self.learner.updates, board.met)
        activity = self.collector.workers.activity() if outcome.collected is not None else {}
        if activity:
            for part in filter(None, (self._pool, self._progress)):
                activity |= part.figures()
        self._reporter.round_over(outcome, seconds, self._env_steps(), activity, self._keeper)
        if self._tracer:
            self._tracer.round_over(outcome)

    def state(self) -> dict[str, np.ndarray]:
        """Returns all that the next round depends on; only between rounds."""
        return {
            "run/next_round": np.array(self._next_round),
            "run/env_steps": np.array(self._env_steps()),
            **self.learner.state(),
            **self._schedule.state(),
            **self.collector.state(self._next_round),
            **self._reporter.state(),
            **(self._pool.state() if self._pool else {}),
            **(self._progress.state() if self._progress else {}),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state.

        Raises:
          ConfigError: it is of another agent.
        """
        self._next_round = int(state["run/next_round"])
        self.learner.restore(state)
        self._behaviour.copy_from(self.learner.agent)
        self._schedule.restore(state)
        self._reporter.restore(state)
        playing = self.collector.restore(state, self._next_round)
        self._keeper.restore(state, playing)
        if self._pool:
            self._pool.restore(state, self.collector.workers.board.met)
        if self._progress:
            self._progress.restore(state)
            self.collector.workers.board.set_task_shares(self._progress.shares)

    def close(self) -> None:
        """Stops all workers and frees all shared memory; may be called twice."""
        with contextlib.ExitStack() as stack:  # each, even if one before it fails
            for part in (self._keeper, self.collector, self._reporter):
                stack.callback(part.close)

    def _env_steps(self) -> int:
        return min(self._next_round, self.learner.num_updates) * self._steps_per_round
