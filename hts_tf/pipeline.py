"""The pipeline: a training run, round by round."""

import contextlib
import dataclasses
import math
import time

import numpy as np

from hts_tf import errors, trees
from hts_tf.collecting import collector as collectors
from hts_tf.collecting.collector import Collector
from hts_tf.collecting.executor_pool import WorkerError
from hts_tf.collecting.unroll_collector import UnrollCollector
from hts_tf.curriculum.curriculum import Progress
from hts_tf.files.episodes import WINDOW
from hts_tf.files.keeper import Keeper
from hts_tf.learner import Learner
from hts_tf.networks.agent import Agent
from hts_tf.opponents.pool import ITSELF, Pool
from hts_tf.schedules.schedule import Round, Schedule
from hts_tf.system.stop_signals import StopSignals
from hts_tf.team import MachineLostError, Share, Team, from_first
from hts_tf.watching.evaluation_process import EvaluationProcess
from hts_tf.watching.reporter import Reporter
from hts_tf.watching.tracer import Tracer

_POLL_SEC = 0.05
_KEPT_ROUNDS = 3  # whose environments may still be on their way to the first machine


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
        reporter: Reporter | None,
        tracer: Tracer | None,
        steps_per_round: int,
        share: Share,
        pool: Pool | None,
        progress: Progress | None,
        team: Team,
        evaluations: EvaluationProcess | None,
        stop_at_score: float | None,
    ) -> None:
        """Takes its parts, and starts nothing.

        Args:
          schedule: of rollout and learning.
          collector: of this machine's environments.
          learner: of this machine's shards.
          behaviour: the agent that the actors run.
          keeper: of what is to last.
          reporter: of the run; None where nobody looks, on all machines but the first.
          tracer: of this machine's workers, or None.
          steps_per_round: env steps, of all machines.
          share: of this machine.
          pool: of opponents, or None.
          progress: with the tasks, or None.
          team: of machines.
          evaluations: while it trains; None for none.
          stop_at_score: see `Settings`.
        """
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
        self._share = share
        self._team = team
        self._evaluations = evaluations
        self._stop_at_score = stop_at_score
        self._own_states: dict[int, dict[str, np.ndarray]] = {}  # next round -> see `_own_state`
        self._waited_sec = 0.0
        self._stop = False
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
        try:
            self._go_on_with(state)
        except (errors.ConfigError, MachineLostError):
            if not state:
                self._keeper.disclaim()
            raise

    def _go_on_with(self, state: dict[str, np.ndarray] | None) -> None:
        if self._team.number == 0 and not state:
            self._begin()
        if self._team.size > 1:
            state, parameters, files = from_first(
                self._team, (state, self.learner.state(), self._keeper.snapshots())
            )
            if self._team.number > 0:
                self._keeper.take_snapshots(files)
                if not state:
                    self.learner.restore(parameters)
                    self._begin()
        if state:
            self.restore(state)

    def _begin(self) -> None:
        """Takes from other runs what it is to begin with."""
        if self._team.number == 0:
            self._keeper.give_first_parameters(self.learner)
        self._behaviour.copy_from(self.learner.agent)
        if self._pool:
            self._pool.begin()

    def run(self) -> Result:
        """Trains to the end, or until SIGINT or SIGTERM asks to stop after this round.

        Raises:
          WorkerError: an executor failed again and again in the same place.
          MachineLostError: a machine is lost; all that was done before is saved.
          OSError: a file cannot be written; names it.
          Interrupted: a second signal asked to stop at once.
        """
        with self.signals:  # until all is closed: a signal must not cut that short
            try:
                if self._reporter:
                    self._reporter.begin(self._env_steps(), self._configuration, self._scope)
                self._keeper.begin(self.learner, self._steps_per_round)
                if self._evaluations:
                    self._evaluations.begin(self.learner.updates)
                if not self._is_complete():
                    self.collector.start()
                self._rounds()
                if self._reporter and self._is_good_enough():
                    self._reporter.say(
                        f"Trainer.stop_at_score = {self._stop_at_score:g} is reached"
                    )
                if self._evaluations:
                    self._await_evaluations()
                if self._tracer:
                    self._tracer.finish()
            except WorkerError as error:
                if error.attempt is None:
                    raise
                replay = self._keeper.replay_command(error.attempt, self._next_round)
                raise WorkerError(f"{error}; {replay}") from error
            except Exception as error:
                if not self._team.lost:
                    raise
                self._team.lost.progress = self._save_what_is_safe()
                raise self._team.lost from error
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
        while not self._is_complete() and not self._stop:
            outcome = self._schedule.run_round(self._next_round, self.learner.num_updates)
            self._next_round += 1
            # From sync point to sync point, with what is done below while the workers wait.
            round_end = time.monotonic()
            seconds, round_start = round_end - round_start, round_end
            self._round_over(outcome, seconds)
            if self._team.size > 1:
                self._keep()
            if self._team.number > 0:
                continue
            if self._evaluations:
                self._evaluate()
            if self._keeper.is_due(self.learner.updates):
                self._save()
                saved_round = self._next_round
        if self._next_round > saved_round and self._team.number == 0:
            self._save()

    def _save(self) -> None:
        path = self._keeper.save(self._next_round, self.state())
        self._reporter.saved(self._env_steps(), path)

    def _is_complete(self) -> bool:
        return self._next_round == self._num_rounds or self._is_good_enough()

    def _is_good_enough(self) -> bool:
        episodes = self._keeper.episodes
        if self._stop_at_score is None or len(episodes.recent) < WINDOW:
            return False
        return episodes.means().score >= self._stop_at_score

    def _evaluate(self) -> None:
        updates, env_steps = self.learner.updates, self._env_steps()
        for evaluation in self._evaluations.round_over(
            self.learner.agent, updates, env_steps, self._is_complete()
        ):
            self._reporter.evaluated(evaluation)

    def _await_evaluations(self) -> None:
        while self._is_complete() and not self.signals.received:
            for evaluation in self._evaluations.ended():
                self._reporter.evaluated(evaluation)
            if self._evaluations.is_idle:
                return
            time.sleep(_POLL_SEC)

    def _keep(self) -> None:
        """Has the first machine hold on to what is safe now, as all have come to this sync point.

        What the others bring comes while the next round runs.
        """
        self._team.keep((self._next_round, self.collector.state(self._next_round)))
        if self._team.number == 0:
            copies = {name: np.array(array) for name, array in self._own_state().items()}
            self._own_states = {**self._own_states, self._next_round: copies}
            for number in sorted(self._own_states)[:-_KEPT_ROUNDS]:
                del self._own_states[number]

    def _save_what_is_safe(self) -> bool:
        """Saves the last sync point that is safe, on the first machine; returns if there is one."""
        kept = self._team.kept(wait=False)
        if self._team.number > 0 or not kept:
            return False
        number = kept[0][0]
        collected = collectors.joined([state for _, state in kept])
        self._keeper.save(number, {**self._own_states[number], **collected})
        return True

    def _of_all_machines(self, outcome: Round, cut_short: np.ndarray) -> tuple[Round, np.ndarray]:
        """Returns a round's outcome, without observations, and where episodes were cut short.

        With it, each machine learns whether one has been asked to stop.
        """
        is_asked = self.signals.received is not None
        if self._reporter:
            is_asked |= self._reporter.is_asked_to_stop
        if self._team.size == 1:
            self._stop = is_asked
            return outcome, cut_short
        collected = outcome.collected
        if collected is not None:
            nothing = dict.fromkeys(("observation", "state", "policy", "value"), ())
            collected = collected._replace(**nothing, truncation_value=())
        said = self._team.all((collected, cut_short, is_asked))
        parts, cuts, stops = zip(*said, strict=True)
        self._stop = any(stops)
        if collected is not None:
            collected = trees.map(lambda *x: np.concatenate(x, axis=1), *parts)
        return outcome._replace(collected=collected), np.concatenate(cuts, axis=1)

    def _round_over(self, outcome: Round, seconds: float) -> None:
        number = self._next_round - 1
        names = self._pool.names if self._pool else [ITSELF]
        outcome, cut_short = self._of_all_machines(outcome, self.collector.cut_short(number))
        ended = self._keeper.round_over(outcome, number, cut_short, names)
        board = self.collector.workers.board
        known = [episode for episode in ended if not math.isnan(episode.score)]
        if self._progress:
            self._progress.update((episode.task, episode.score) for episode in known)
            board.set_task_shares(self._progress.shares)
        if self._pool:
            met = (e for e in known if board.environment.has_rivals(e.task))
            results = [(e.opponent, e.score) for e in met]
            self._pool.update(results, self._behaviour, self.learner.updates, board.met)
        activity = self.collector.workers.activity() if outcome.collected is not None else {}
        if self._team.size > 1:
            waited, self._waited_sec = self._waited_sec, self._team.waited_sec
            activity["time/learner_exchange"] = (self._waited_sec - waited) / seconds
        if activity:
            for part in filter(None, (self._pool, self._progress)):
                activity |= part.figures()
        if self._reporter:
            self._reporter.round_over(
                outcome, seconds, self._env_steps(), activity, self._keeper, ended
            )
        if self._tracer:
            self._tracer.round_over(outcome)

    def state(self) -> dict[str, np.ndarray]:
        """Returns all that the next round depends on, of all machines; only between rounds.

        Only to the first machine, after all have been told to `_keep`.
        """
        collected = self.collector.state(self._next_round)
        if self._team.size > 1:
            collected = collectors.joined([state for _, state in self._team.kept(wait=True)])
        return {**self._own_state(), **collected}

    def _own_state(self) -> dict[str, np.ndarray]:
        """Returns what is in a state of all but the environments; the same on all machines."""
        return {
            "run/next_round": np.array(self._next_round),
            "run/env_steps": np.array(self._env_steps()),
            **self.learner.state(),
            **self._schedule.state(),
            **self._reporter.state(),
            **self._keeper.state(),
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
        if self._reporter:
            self._reporter.restore(state)
        own = state
        if self._team.size > 1:
            own = collectors.part(state, self._share.envs)
        playing = self.collector.restore(own, self._next_round)
        everywhere = self._team.all(playing)
        self._keeper.restore(state, [episode for there in everywhere for episode in there])
        if self._pool:
            self._pool.restore(state, self.collector.workers.board.met)
        if self._progress:
            self._progress.restore(state)
            self.collector.workers.board.set_task_shares(self._progress.shares)

    def close(self) -> None:
        """Stops all workers and frees all shared memory; may be called twice."""
        with contextlib.ExitStack() as stack:  # each, even if one before it fails
            parts = self._keeper, self.collector, self._reporter, self._evaluations
            for part in filter(None, parts):
                stack.callback(part.close)

    def _env_steps(self) -> int:
        return min(self._next_round, self.learner.num_updates) * self._steps_per_round
