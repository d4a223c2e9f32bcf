"""The trainer: checks the configuration, builds and wires the roles, and runs them."""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import time

import gin
import numpy as np
import tensorflow as tf

from hts_tf import config, errors, seeding, specs
from hts_tf.algorithms import a2c, impala, ppo  # noqa: F401  gin configurables
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.collecting import collector, data_storage, shared_memory
from hts_tf.collecting.executor_pool import Attempt, WorkerError
from hts_tf.collecting.policy import Batching, Policy
from hts_tf.environments import base
from hts_tf.files import archive, scope
from hts_tf.files.episodes import EpisodeTracker
from hts_tf.files.fingerprint_log import FingerprintLog
from hts_tf.files.fingerprints import fingerprint
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.schedules import asynchronous, hts, sync  # noqa: F401  gin configurables
from hts_tf.schedules.schedule import Round, Schedule
from hts_tf.system import compute, memory
from hts_tf.watching import display
from hts_tf.watching.tracer import Tracer


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
      env_steps: made in the whole run.
      updates: of the target network.
      parameters_sha256: hash of its parameters.
    """

    env_steps: int
    updates: int
    parameters_sha256: str


@gin.configurable(denylist=["workdir", "seed", "trace_intervals"])
class Trainer:
    """A training run in a workdir.

    Building a trainer checks everything and starts nothing. It owns every process and all shared
    memory, until `run` returns or it is closed.

    Attributes:
      stopped_by: the signal that ended the run early, if one did.
    """

    def __init__(
        self,
        workdir: str,
        seed: int,
        environment: base.EnvironmentConfig = gin.REQUIRED,
        algorithm: Algorithm = gin.REQUIRED,
        schedule: type[Schedule] = gin.REQUIRED,
        num_envs: int = 16,
        num_executors: int | None = None,
        num_actors: int = 4,
        actor_batch_size: int | None = None,
        sync_interval: int = 128,
        total_env_steps: int = 5_000_000,
        checkpoint_every_sec: float | None = 300.0,
        checkpoint_every_updates: int | None = None,
        keep_checkpoints: int = 3,
        fingerprints: bool = True,
        crash_limit: int = 5,
        step_timeout_sec: float | None = 300.0,
        archive_episodes: bool = True,
        trace_intervals: int = 0,
    ) -> None:
        """Checks the settings and builds networks and learner.

        Args:
          workdir: where configuration, event files and checkpoints go. If it holds checkpoints
            of the same configuration, the run goes on from the newest.
          seed: of everything random in the run.
          environment: recipe of the environments.
          algorithm: whose update the learner runs.
          schedule: who waits for whom.
          num_envs: environments stepped at once.
          num_executors: processes that step them; None takes one for each processor core. No
            influence on results.
          num_actors: threads that run the policy; under `Sync` there is one. No influence on
            results.
          actor_batch_size: the most observations that an actor answers at once; None takes
            num_envs. No influence on results.
          sync_interval: alpha, env steps per environment between sync points; under
            `Asynchronous` of an unroll.
          total_env_steps: of the whole run, rounded up to whole updates.
          checkpoint_every_sec: seconds between checkpoints; None for no checkpoints by time.
          checkpoint_every_updates: updates between checkpoints; None for none by updates.
          keep_checkpoints: how many checkpoints stay.
          fingerprints: whether to keep a fingerprint of every update; never without sync points.
          crash_limit: an executor that dies is replaced, and the run goes on to the same bits;
            one that dies so often in the same place ends the run.
          step_timeout_sec: an executor that takes longer for one env step or reset counts as
            dead; None waits for ever.
          archive_episodes: keep what `hts_tf.replay` needs of every finished episode, about a
            byte for each env step.
          trace_intervals: how many intervals (`Asynchronous`: updates) to record, see `Tracer`.

        Raises:
          ConfigError: a setting is out of range, the workdir cannot be used, or memory does not
            suffice; the message says what to change.
        """
        errors.check_count("Trainer.num_envs", num_envs)
        if num_executors is None:
            num_executors = min(num_envs, os.cpu_count() or 1)
        if actor_batch_size is None:
            actor_batch_size = num_envs
        for name, value in [
            ("num_executors", num_executors),
            ("num_actors", num_actors),
            ("actor_batch_size", actor_batch_size),
            ("sync_interval", sync_interval),
            ("total_env_steps", total_env_steps),
            ("keep_checkpoints", keep_checkpoints),
            ("crash_limit", crash_limit),
        ]:
            errors.check_count(f"Trainer.{name}", value)
        if checkpoint_every_sec is not None:
            errors.check_positive("Trainer.checkpoint_every_sec", checkpoint_every_sec)
        if checkpoint_every_updates is not None:
            errors.check_count("Trainer.checkpoint_every_updates", checkpoint_every_updates)
        if step_timeout_sec is not None:
            errors.check_positive("Trainer.step_timeout_sec", step_timeout_sec)
        if num_executors > num_envs:
            raise errors.ConfigError(
                f"Trainer.num_executors = {num_executors} must not exceed "
                f"Trainer.num_envs = {num_envs}"
            )
        if algorithm.delayed_gradient and schedule.policy_lag is None:
            raise errors.ConfigError(
                f"Trainer.algorithm = @{type(algorithm).__name__}() takes its gradient at the "
                "parameters that collected the data; under Trainer.schedule = "
                f"@{schedule.__name__} these vary, so it cannot be used"
            )
        self._schedule = schedule(num_envs)
        rollout_width = self._schedule.rollout_width
        algorithm.check_batch(sync_interval, rollout_width)
        spec = environment.spec
        _check_memory(
            collector.memory_fields(
                spec,
                sync_interval,
                num_envs,
                num_executors,
                self._schedule.num_storages,
                traced=trace_intervals > 0,
            )
        )

        self._workdir = Workdir(workdir)
        self._seed = seed
        self._steps_per_interval = sync_interval * rollout_width  # of an update, that is
        self._num_intervals = -(-total_env_steps // self._steps_per_interval)
        self._checkpoint_every_sec = checkpoint_every_sec
        self._checkpoint_every_updates = checkpoint_every_updates
        self._keep_checkpoints = keep_checkpoints
        self._is_repeatable = schedule.policy_lag is not None
        self._keep_fingerprints = fingerprints and self._is_repeatable
        self._fingerprints: FingerprintLog | None = None
        self._fingerprint_sec = 0.0
        self._archive_episodes = archive_episodes

        weights_seed = seeding.integer(seed, "weights")
        target = ActorCritic(spec, weights_seed)
        behaviour = ActorCritic(spec, weights_seed)
        delayed = algorithm.delayed_gradient and schedule.policy_lag
        gradient_network = ActorCritic(spec, weights_seed) if delayed else None
        # Checked for num_envs, as results must not depend on actor_batch_size.
        self._policy = Policy(behaviour, spec, num_envs)
        verdict = "passed" if self._policy.batching is Batching.ANY_SIZE else "failed for any size"
        self._scope = {
            **scope.describe(),
            **compute.describe(),
            "inference": f"{self._policy.batching.value} (self-check {verdict})",
        }
        self._collector = self._schedule.collector_type(
            environment,
            self._policy,
            seed,
            sync_interval,
            num_envs,
            num_executors,
            num_actors,
            min(actor_batch_size, num_envs),
            crash_limit,
            step_timeout_sec,
            self._schedule.num_storages,
            self._schedule.lockstep,
            traced=trace_intervals > 0,
        )
        self._tracer = None
        if trace_intervals:
            self._tracer = Tracer(
                self._workdir.path, self._collector, trace_intervals, self._is_repeatable
            )
        self._learner = Learner(
            target,
            algorithm,
            data_storage.empty(spec, sync_interval, rollout_width),
            self._num_intervals,
            seed,
            gradient_network,
        )
        self._behaviour = behaviour
        self._schedule.connect(self._collector, self._learner, behaviour)
        self._num_rounds = schedule.num_rounds(self._num_intervals)
        self._episodes = EpisodeTracker(num_envs, seed)
        self._archive: archive.Archive | None = None
        self._next_round = 0
        self._earlier_minutes = 0.0
        self._sps = 0.0
        self.stopped_by: signal.Signals | None = None
        self._configuration = config.operative(seed)
        try:
            self._workdir.claim(self._configuration)
            state = self._workdir.newest()
            if state:
                self._restore(state)
            archived = int(state["run/archive_bytes"]) if state else 0
            self._archive = self._workdir.open_archive(archived)
        except errors.ConfigError:
            self.close()
            raise

    def run(self) -> Result:
        """Trains to the end, or until SIGINT or SIGTERM asks to stop after this round.

        Raises:
          WorkerError: an executor failed again and again in the same place.
          KeyboardInterrupt: a second signal asked to stop at once.
        """
        if self._policy.batching is not Batching.ANY_SIZE:
            print(
                "warning: on this machine, observations in a batch influence each other; to keep "
                f"results reproducible, actors compute {self._policy.batching.value}",
                file=sys.stderr,
            )
        tensorboard = display.TensorBoard(self._workdir.path)
        tensorboard.text("configuration", self._configuration)
        tensorboard.text("scope", "\n".join(f"{k}: {v}" for k, v in self._scope.items()))
        if self._is_repeatable:
            display.say(scope.line(self._scope))
        else:
            display.say("not reproducible, as its schedule has no sync points: no fingerprints")
        progress = display.ProgressLine(self._num_intervals * self._steps_per_interval)
        handlers = {s: signal.signal(s, self._stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            if self._keep_fingerprints:
                self._fingerprints = FingerprintLog(self._workdir.path, self._learner.updates)
                self._learner.after_update = self._keep_fingerprint
            if self._next_round < self._num_rounds:  # else the run is complete
                self._collector.start()
            self._rounds(tensorboard, progress)
            if self._tracer:
                self._tracer.finish()
        except WorkerError as error:
            if error.attempt is None:
                raise
            raise WorkerError(f"{error}; {self._replay_command(error.attempt)}") from error
        finally:
            progress.close()
            self.close()
            if self._fingerprints:
                self._fingerprints.close()
            tensorboard.close()
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return Result(
            env_steps=self._env_steps(),
            updates=self._learner.updates,
            parameters_sha256=self._learner.network.parameters_hash(),
        )

    def close(self) -> None:
        """Stops all workers and frees all shared memory; may be called twice."""
        self._collector.close()
        if self._archive is not None:
            self._archive.close()

    def _rounds(self, tensorboard: display.TensorBoard, progress: display.ProgressLine) -> None:
        saved_round = self._next_round
        saved_at = round_start = time.monotonic()
        while self._next_round < self._num_rounds and self.stopped_by is None:
            outcome = self._schedule.run_round(self._next_round, self._num_intervals)
            self._next_round += 1
            # From sync point to sync point, with what is done below while the workers wait.
            round_end = time.monotonic()
            seconds, round_start = round_end - round_start, round_end
            self._report(outcome, seconds, tensorboard, progress)
            if self._tracer:
                self._tracer.round_over(outcome)
            if self._checkpoint_is_due(round_end - saved_at):
                self._save()
                saved_round, saved_at = self._next_round, round_end
        if self._next_round > saved_round:
            self._save()

    def _report(
        self,
        outcome: Round,
        seconds: float,
        tensorboard: display.TensorBoard,
        progress: display.ProgressLine,
    ) -> None:
        """Counts in a round of so many seconds, and shows how the run is doing."""
        scalars = {"run/minutes": self._minutes()}
        if outcome.collected is not None:
            finished = self._episodes.add(outcome.collected, self._next_round - 1, outcome.slots)
            if self._archive_episodes:
                self._archive.append(finished)
            self._sps = self._steps_per_interval / seconds
            scalars["throughput/sps"] = self._sps
            scalars |= self._collector.activity()
        if outcome.logs is not None:
            scalars |= {f"learner/{name}": value for name, value in outcome.logs.items()}
            scalars["learner/policy_lag"] = outcome.policy_lag
        means = self._episodes.means()
        if means is not None:
            scalars |= {
                "episodes/finished": self._episodes.finished,
                "episodes/score": means.score,
                "episodes/return": means.episode_return,
                "episodes/length": means.length,
            }
        scalars["time/learner_fingerprint"] = self._fingerprint_sec / seconds  # part of the update
        scalars["time/learner_update"] = outcome.learning.sec / seconds
        scalars["time/learner_wait_rollout"] = outcome.waiting.sec / seconds
        tensorboard.scalars(self._env_steps(), scalars)
        progress.show(self._env_steps(), self._sps, means)

    def _replay_command(self, attempt: Attempt) -> str:
        """Keeps what an executor died in, and says how to see it die again."""
        seed = seeding.episode_seed(self._seed, attempt.slot, attempt.episode)
        path = self._workdir.keep_attempt(attempt, seed, self._next_round)
        return (
            f"to replay that episode (seed {seed}): python -m hts_tf.replay "
            f"--workdir={self._workdir.path} --archive={path} --check_only"
        )

    def _env_steps(self) -> int:
        return min(self._next_round, self._num_intervals) * self._steps_per_interval

    def _minutes(self) -> float:
        """Returns the minutes that the run has taken, from its launches to its stops."""
        return self._earlier_minutes + display.minutes_since_launch()

    def _stop(self, number: int, _: object) -> None:
        """Asks the run to stop at the next sync point; a second signal does not wait for it."""
        if self.stopped_by is not None:
            raise KeyboardInterrupt
        self.stopped_by = signal.Signals(number)
        place = "at the next sync point" if self._is_repeatable else "after the next update"
        text = f"\n{self.stopped_by.name}: stopping {place} (again: at once)\n"
        # Not print: a signal may come in the middle of one, or when nobody reads any more.
        with contextlib.suppress(OSError):
            os.write(2, text.encode())

    def _checkpoint_is_due(self, seconds: float) -> bool:
        by_time = self._checkpoint_every_sec
        by_updates = self._checkpoint_every_updates
        return (by_time is not None and seconds >= by_time) or (
            by_updates is not None and self._learner.updates % by_updates == 0
        )

    def _keep_fingerprint(self, rollout: specs.Rollout) -> None:
        start = time.perf_counter()
        learner, updates = self._learner, self._learner.updates
        parameters, optimizer = (  # asarray: without copying
            [np.asarray(tf.convert_to_tensor(variable)) for variable in variables]
            for variables in (learner.network.variables, learner.optimizer.variables)
        )
        self._fingerprints.append(
            updates, updates * self._steps_per_interval, fingerprint(rollout, parameters, optimizer)
        )
        self._fingerprint_sec = time.perf_counter() - start

    def _save(self) -> None:
        if self._fingerprints:
            self._fingerprints.sync()
        self._archive.sync()  # a checkpoint must not remember what is not on the disk
        self._workdir.save(self._next_round, self._state(), self._keep_checkpoints)

    def _state(self) -> dict[str, np.ndarray]:
        """Returns all that the next round depends on; only between rounds."""
        groups = {
            "variable": {str(i): v.numpy() for i, v in enumerate(self._learner.variables())},
            "run": {
                "next_round": np.array(self._next_round),
                "updates": np.array(self._learner.updates),
                "env_steps": np.array(self._env_steps()),
                "minutes": np.array(self._minutes()),
                "archive_bytes": np.array(self._archive.size),
                "policy_versions": self._schedule.policy_versions,
                "scope": np.array(json.dumps(self._scope)),
            },
        }
        named = {
            f"{group}/{name}": array
            for group, arrays in groups.items()
            for name, array in arrays.items()
        }
        return {
            **named,
            **self._collector.state(self._next_round),
            **self._episodes.state(),
        }

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state."""
        _warn_of_another_scope(state, self._scope)
        _assign(self._learner.variables(), state)
        self._behaviour.copy_from(self._learner.network)
        self._next_round = int(state["run/next_round"])
        self._learner.updates = int(state["run/updates"])
        self._earlier_minutes = float(state["run/minutes"])
        self._schedule.policy_versions[...] = state["run/policy_versions"]
        playing = self._collector.restore(state, self._next_round)
        self._episodes.restore(state, playing)


def load_parameters(state: dict[str, np.ndarray], network: ActorCritic) -> int:
    """Gives a network the target parameters of a checkpoint.

    Returns:
      The env steps that had been made.

    Raises:
      ConfigError: the checkpoint is of another network.
    """
    _assign(network.variables, state)
    return int(state["run/env_steps"])


def _assign(variables: list[tf.Variable], state: dict[str, np.ndarray]) -> None:
    """Assigns the first variables of a checkpoint: the network's, then the optimizer's."""
    for i, variable in enumerate(variables):
        array = state.get(f"variable/{i}")
        if array is None or tuple(variable.shape) != array.shape:
            raise errors.ConfigError("the checkpoint in --workdir is of another network")
        variable.assign(array)


def _warn_of_another_scope(state: dict[str, np.ndarray], now: dict[str, str]) -> None:
    before = json.loads(state["run/scope"].item()) if "run/scope" in state else {}
    for name, old, new in scope.differences(before, now) if before else ():
        print(
            f"warning: this run was saved with {name} {old}, and goes on with {new}: "
            "results may differ from those of a run never interrupted",
            file=sys.stderr,
        )


def _check_memory(fields: shared_memory.Fields) -> None:
    needed = shared_memory.total_nbytes(fields)
    available = memory.memory_available_bytes()
    if needed > available:
        raise errors.ConfigError(
            f"the storages need {needed:,} bytes of shared memory, but only {available:,} are "
            "available; lower Trainer.num_envs or Trainer.sync_interval"
        )
