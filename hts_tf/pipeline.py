"""The pipeline: a training run, round by round."""

import contextlib
import dataclasses
import math
import time
from pathlib import Path

import numpy as np

from hts_tf import errors, trees
from hts_tf.collecting.executor_pool import WorkerError
from hts_tf.files import curves
from hts_tf.files.episodes import WINDOW
from hts_tf.opponents.roster import ITSELF
from hts_tf.run_state import Parts, RunState
from hts_tf.schedules.schedule import Round
from hts_tf.system import terminal
from hts_tf.system.stop_signals import StopSignals
from hts_tf.team import MachineLostError
from hts_tf.watching.evaluation_process import EvaluationProcess
from hts_tf.watching.tracer import Tracer

_POLL_SEC = 0.05
_FEW = 2  # policies that wait for their evaluations at the end of every run


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
        parts: Parts,
        steps_per_round: int,
        tracer: Tracer | None,
        evaluations: EvaluationProcess | None,
        stop_at_score: float | None,
    ) -> None:
        """Takes its parts, and starts nothing.

        Args:
          parts: of the run.
          steps_per_round: env steps, of all machines.
          tracer: of this machine's workers, or None.
          evaluations: while it trains; None for none.
          stop_at_score: see `Settings`.
        """
        parts.schedule.connect(parts.collector, parts.learner, parts.behaviour)
        self.collector = parts.collector
        self.learner = parts.learner
        self._schedule = parts.schedule
        self._behaviour = parts.behaviour
        self._pool = parts.pool
        self._progress = parts.progress
        self._keeper = parts.keeper
        self._reporter = parts.reporter
        self._team = parts.team
        self._board = parts.collector.workers.board
        self._state = RunState(parts, steps_per_round)
        self._tracer = tracer
        self._evaluations = evaluations
        self._stop_at_score = stop_at_score
        self._waited_sec = 0.0
        self._stop = False
        if parts.progress:
            self._board.set_task_shares(parts.progress.shares)
        has_sync_points = parts.schedule.policy_lag is not None
        self.signals = StopSignals(
            "at the next sync point" if has_sync_points else "after the next update"
        )

    def open(self, configuration: str, scope: dict[str, str]) -> None:
        """Takes the workdir, and goes on with the run that it holds.

        Args:
          configuration: operative, see `operative.text`.
          scope: of reproducibility.

        Raises:
          ConfigError: the workdir, or what the run is to begin with, cannot be used.
          MachineLostError: another machine of the team is lost.
          OSError: a file cannot be written; names it.
        """
        self._configuration = configuration
        saved = self._keeper.claim(configuration, scope)
        try:
            self._state.go_on_with(saved)
        except (errors.ConfigError, MachineLostError):
            if not saved:
                self._keeper.disclaim()
            raise

    def run(self) -> Result:
        """Trains to the end, or until a signal asks to stop after this round.

        Raises:
          WorkerError: an executor failed again and again in the same place.
          MachineLostError: a machine is lost; all that was done before is saved.
          OSError: a file cannot be written; names it.
          Interrupted: a second signal asked to stop at once.
        """
        # Of other machines than the first, they are Ray's: one that is asked ends, and is replaced.
        noted = contextlib.nullcontext() if self._team.number else self.signals
        with noted:  # until all is closed: a signal must not cut that short
            try:
                if self._reporter:
                    self._begin_reporting()
                self._keeper.begin(
                    self.learner, self._state.steps_per_round, self._board.has_history
                )
                if self._evaluations:
                    self._evaluations.begin(self.learner.updates)
                if not self._is_complete():
                    self.collector.start()
                else:
                    self._evaluate()
                self._rounds()
                if self._reporter and self._is_good_enough():
                    self._reporter.say(
                        f"Trainer.stop_at_score = {self._stop_at_score:g} is reached"
                    )
                self._await_evaluations()
                if self._reporter:
                    self._reporter.end(self._is_complete())
                if self._tracer:
                    self._tracer.finish()
            except WorkerError as error:
                if error.attempt is None:
                    raise
                replay = self._keeper.replay_command(error.attempt, self._state.next_round)
                raise WorkerError(f"{error}; {replay}") from error
            except Exception as error:
                lost = self._team.lost
                if not lost:
                    raise
                kept = self._state.last_kept()
                if kept:
                    self._write(*kept)
                lost.progress = kept is not None
                raise lost from error
            finally:
                self.close()
        return Result(
            self._state.env_steps,
            self.learner.updates,
            self.learner.agent.parameters_hash(),
        )

    def _begin_reporting(self) -> None:
        is_complete = self._is_complete()
        if not is_complete:
            self._keeper.warn_of_another_scope()
        try:
            self._reporter.begin(
                self._state.env_steps,
                self._configuration,
                self._keeper.scopes(goes_on=not is_complete),
                bool(self._board.has_history[0]),
                is_complete,
            )
        except (errors.ConfigError, errors.RunError):  # an observer's
            if not self._state.next_round:
                self._keeper.disclaim()
            raise

    def _rounds(self) -> None:
        saved_round = self._state.next_round
        self._waited_sec = self._team.waited_sec
        round_start = time.monotonic()
        while not self._is_complete() and not self._stop:
            outcome = self._schedule.run_round(self._state.next_round)
            self._state.next_round += 1
            # From sync point to sync point, with what is done below while the workers wait.
            round_end = time.monotonic()
            seconds, round_start = round_end - round_start, round_end
            self._round_over(outcome, seconds)
            self._state.is_complete = self._is_complete()
            if self._team.size > 1:
                self._state.keep()
            if self._team.number > 0:
                continue
            self._evaluate()
            if self._keeper.is_due(self.learner.updates):
                self._save()
                saved_round = self._state.next_round
        if self._state.next_round > saved_round and self._team.number == 0:
            self._save()

    def _save(self) -> None:
        path = self._write(self._state.next_round, self._state.read())
        self._reporter.saved(self._state.env_steps, path)

    def _write(self, number: int, state: dict[str, np.ndarray]) -> Path:
        self._reporter.sync()  # who goes on from a checkpoint does not tell again what was before
        return self._keeper.save(number, state)

    def _is_complete(self) -> bool:
        return self._state.next_round == self._schedule.num_rounds or self._is_good_enough()

    def _has_ended(self) -> bool:
        return self._is_complete() or self._state.is_stopped

    def _is_good_enough(self) -> bool:
        episodes = self._keeper.episodes
        if self._stop_at_score is None or len(episodes.recent) < WINDOW:
            return False
        return episodes.means().score >= curves.least(self._stop_at_score)

    def _evaluate(self) -> None:
        if not self._evaluations:
            return
        updates, env_steps = self.learner.updates, self._state.env_steps
        for evaluation in self._evaluations.round_over(
            self.learner.agent, updates, env_steps, self._has_ended()
        ):
            self._reporter.evaluated(evaluation)

    def _await_evaluations(self) -> None:
        waiting = self._evaluations.num_waiting if self._evaluations and self._has_ended() else 0
        if waiting > _FEW:
            terminal.say(f"{waiting} policies are yet to be evaluated; the run is over after that")
        while self._evaluations and self._has_ended() and not self.signals.received:
            for evaluation in self._evaluations.ended():
                self._reporter.evaluated(evaluation)
            if self._evaluations.is_idle:
                return
            time.sleep(_POLL_SEC)

    def _of_all_machines(
        self, outcome: Round, cut_short: np.ndarray, is_asked: bool
    ) -> tuple[Round, np.ndarray, bool]:
        """Returns a round's outcome, without observations, and where episodes were cut short.

        And whether the first machine has been asked to stop.
        """
        if self._team.size == 1:
            return outcome, cut_short, is_asked
        collected = outcome.collected
        if collected is not None:
            nothing = dict.fromkeys(("observation", "state", "policy", "value"), ())
            collected = collected._replace(**nothing, truncation_value=())
        said = self._team.all_gather((collected, cut_short, is_asked))
        parts, cuts, asked = zip(*said, strict=True)
        if collected is not None:
            collected = trees.map(lambda *x: np.concatenate(x, axis=1), *parts)
        return outcome._replace(collected=collected), np.concatenate(cuts, axis=1), asked[0]

    def _round_over(self, outcome: Round, seconds: float) -> None:
        number = self._state.next_round - 1
        names = self._pool.names if self._pool else [ITSELF]
        if self._reporter:
            self._state.is_stopped = self._reporter.is_asked_to_stop
        is_asked = self.signals.received is not None or self._state.is_stopped
        # Since the round before was over: what is waited for below is the next one's.
        waited_sec = self._team.waited_sec - self._waited_sec
        self._waited_sec += waited_sec
        cut_short = self.collector.cut_short(number)
        outcome, cut_short, self._stop = self._of_all_machines(outcome, cut_short, is_asked)
        ended = self._keeper.round_over(outcome, number, cut_short, names)
        board = self._board
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
            activity["time/learner_exchange"] = waited_sec / seconds
        for part in filter(None, (self._pool, self._progress)):
            activity |= part.figures()
        if self._reporter:
            self._reporter.round_over(
                outcome, seconds, self._state.env_steps, activity, self._keeper, ended
            )
        if self._tracer:
            self._tracer.round_over(outcome)

    def close(self) -> None:
        """Stops all workers and frees all shared memory; may be called twice."""
        with contextlib.ExitStack() as stack:  # each, even if one before it fails
            parts = self._keeper, self.collector, self._reporter, self._evaluations
            for part in filter(None, parts):
                stack.callback(part.close)
