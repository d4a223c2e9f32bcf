"""The settings of a training run, as gin binds them; checked, and nothing else."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import gin
from annotated_types import Ge, Le, Len

from hts_tf import errors, values

# Whoever has settings has all that gin files bind.
from hts_tf.algorithms import a2c, impala, ppo  # noqa: F401
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.configurables import configurable
from hts_tf.curriculum.curriculum import Curriculum
from hts_tf.environments import base
from hts_tf.networks import actor_critic, by_agent  # noqa: F401
from hts_tf.observers import csv_log, trackers  # noqa: F401
from hts_tf.observers.observer import Observer
from hts_tf.opponents import scripted, weightings  # noqa: F401
from hts_tf.opponents.pool import Opponents
from hts_tf.schedules import asynchronous, hts, sync  # noqa: F401
from hts_tf.schedules.schedule import Schedule
from hts_tf.system import compute, processors  # noqa: F401


@configurable("Trainer")
@dataclasses.dataclass(frozen=True)
class Settings:
    """What `Trainer.…` binds.

    Attributes:
      environment: recipe of the environments.
      algorithm: whose update the learner runs.
      schedule: who waits for whom.
      reward_scaling: `@ReturnScaling`, or None for rewards as they are. What is reported of rewards
        is never scaled.
      opponents: `@Opponents()`, who play the environment's rivals; None has the policy play all
        players, and learn from all.
      curriculum: `@Curriculum()`, how often episodes are of each of the environment's tasks, see
        `environments.tasks`; None for all of them alike.
      start_from: a policy of another run to begin with instead of random parameters, see
        `files.policies`: WORKDIR for its newest checkpoint's.
      start_from_optimizer: take the optimizer's state, and the statistics of `reward_scaling`,
        from there, too; they must be of the same kind.
      num_envs: environments stepped at once.
      num_executors: processes that step them; None takes one for each usable processor core. No
        influence on results.
      num_actors: threads that run the policy; under `Sync` there is one. No influence on
        results.
      actor_batch_size: the most environments that an actor answers at once; None takes
        num_envs. No influence on results.
      num_shards: S, into which each batch is divided, by its environments. A gradient is taken of
        each shard, and these are added in order; so results depend on S, but not on how many
        shards are computed at once.
      num_learners: threads that compute gradients of shards; None takes one for each shard, but no
        more than there are usable processor cores. No influence on results.
      sync_interval: alpha, env steps per environment between sync points; under
        `Asynchronous` of an unroll.
      total_env_steps: of the whole run, rounded up to whole updates.
      checkpoint_every_sec: seconds between checkpoints; None for no checkpoints by time.
      checkpoint_every_updates: updates between checkpoints; None for none by updates.
      keep_checkpoints: how many checkpoints stay.
      fingerprints: whether to keep a fingerprint of every update; never without sync points.
      crash_limit: an executor that dies is replaced, and the run goes on to the same bits;
        one that dies so often in the same place ends the run.
      step_timeout_sec: an executor that takes longer for one env step, reset or construction of
        an environment counts as dead; None waits for ever.
      evaluate_every_updates: updates after which the policy plays `evaluate_episodes` episodes, of
        seeds that training never uses, in a process of its own that takes what time is left; the
        best one stays. The last policy of the run is always one of these; None for none. No
        influence on results.
      evaluate_episodes: how many; of several tasks, each gets as many, or one less than others.
      observers: who is told what becomes of the run, such as (@CsvLog(),), see `observers`. No
        influence on results.
      stop_at_score: the run is over once its last 100 episodes have had this score on average;
        None for all env steps. No influence on results until then.
      archive_episodes: keep what `hts_tf.replay` needs of every finished episode, about a
        byte for each env step.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    environment: base.EnvironmentConfig = gin.REQUIRED
    algorithm: Algorithm = gin.REQUIRED
    schedule: type[Schedule] = gin.REQUIRED
    reward_scaling: type[ReturnScaling] | None = None
    opponents: Opponents | None = None
    curriculum: Curriculum | None = None
    start_from: str | None = None
    start_from_optimizer: bool = False
    num_envs: Annotated[int, Ge(1), Le(8191)] = 16  # a pipe holds no more tickets
    num_executors: values.Workers | None = None
    num_actors: values.Workers = 4
    actor_batch_size: values.Count | None = None
    num_shards: values.Count = 1
    num_learners: values.Workers | None = None
    sync_interval: values.Count = 128
    total_env_steps: values.Count = 5_000_000
    checkpoint_every_sec: values.Seconds | None = 300.0
    checkpoint_every_updates: values.Count | None = None
    keep_checkpoints: values.Count = 3
    fingerprints: bool = True
    crash_limit: values.Count = 5
    step_timeout_sec: values.Seconds | None = 300.0
    evaluate_every_updates: values.Count | None = None
    evaluate_episodes: values.Count = 20
    observers: Annotated[Sequence[Observer], Len(0, 100)] = ()
    stop_at_score: values.Number | None = None
    archive_episodes: bool = True

    @property
    def unrepeatable(self) -> str:
        """Why no run repeats, with the reason as a clause; "" if all do."""
        if self.schedule.policy_lag is None:
            return "its schedule has no sync points"
        if not self.environment.spec.history_free:
            return "its environment is not free of history"
        return ""

    def __post_init__(self) -> None:
        defaults = {
            "num_executors": min(self.num_envs, processors.usable_cores()),
            "actor_batch_size": self.num_envs,
            "num_learners": min(self.num_shards, processors.usable_cores()),
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.num_executors > self.num_envs:
            raise errors.ConfigError(
                f"Trainer.num_executors = {self.num_executors} must not exceed "
                f"Trainer.num_envs = {self.num_envs}"
            )
        self._check_shards()
        # The class has none where it depends on the instance, as of `Asynchronous`: two or more.
        has_one_storage = getattr(self.schedule, "num_storages", None) == 1
        has_no_step_before = has_one_storage and self.sync_interval == 1
        if has_no_step_before and self.environment.spec.num_players > 1:
            raise errors.ConfigError(
                f"Trainer.sync_interval = 1: under Trainer.schedule = @{self.schedule.__name__} "
                "several players need 2 or more, as whether one had left is in the step before"
            )
        if self.algorithm.delayed_gradient and self.schedule.policy_lag is None:
            raise errors.ConfigError(
                f"Trainer.algorithm = @{type(self.algorithm).__name__}() takes its gradient at "
                "the parameters that collected the data; under Trainer.schedule = "
                f"@{self.schedule.__name__} these vary, so it cannot be used",
                page="design.md#the-three-schedules",
            )
        if self.reward_scaling is not None:
            self._check_reward_scaling()
        if self.start_from_optimizer and self.start_from is None:
            raise errors.ConfigError(
                "Trainer.start_from_optimizer = True needs Trainer.start_from = 'WORKDIR', whose "
                "optimizer's state it takes"
            )
        if self.evaluate_every_updates is not None:
            self._check_evaluations()
        self._check_opponents()
        self._check_curriculum()

    def _check_evaluations(self) -> None:
        if self.environment.spec.num_rivals:
            raise errors.ConfigError(
                "Trainer.evaluate_every_updates is bound, but the environment has rivals, and a "
                "policy that plays against itself has no score: rate snapshots "
                "by hts_tf.tournament",
                page="comparing.md#tournaments",
            )
        num_tasks = self.environment.spec.num_tasks
        if self.evaluate_episodes < num_tasks:
            raise errors.ConfigError(
                f"Trainer.evaluate_episodes = {self.evaluate_episodes} must be at least "
                f"{num_tasks}, of each task one"
            )

    def _check_opponents(self) -> None:
        fault = self._left_away("opponents", Opponents)
        if self.opponents is not None and not self.environment.spec.num_rivals:
            fault = (
                "Trainer.opponents is bound, but the environment has no rivals to be played: in "
                "football, bind players of both teams, Football.left_players and right_players; "
                "elsewhere, PettingZoo.rivals"
            )
        if fault:
            raise errors.ConfigError(fault, page="teams.md#opponents")

    def _check_curriculum(self) -> None:
        fault = self._left_away("curriculum", Curriculum)
        if self.curriculum is not None and self.environment.spec.num_tasks == 1:
            fault = (
                "Trainer.curriculum is bound, but never moves: the environment has one task; "
                "bind Trainer.environment = @Tasks(), and Tasks.environments"
            )
        elif self.curriculum is not None and self.curriculum.window > self.total_env_steps:
            fault = (
                f"Trainer.curriculum never moves: Curriculum.window = {self.curriculum.window} "
                f"episodes are more than Trainer.total_env_steps = {self.total_env_steps} have"
            )
        if fault:
            raise errors.ConfigError(fault, page="teams.md#curricula")

    def _left_away(self, setting: str, part: type) -> str | None:
        """Returns what is wrong if a part's parameters are bound, but the part itself is not."""
        is_bound = setting in gin.get_bindings("Trainer", resolve_references=False)
        if is_bound or getattr(self, setting) is not None:
            return None
        defaults = {field.name: field.default for field in dataclasses.fields(part)}
        for name, value in gin.get_bindings(part).items():
            if value != defaults[name]:
                return (
                    f"{part.__name__}.{name} is bound, but Trainer.{setting} = None: bind "
                    f"Trainer.{setting} = @{part.__name__}(), too"
                )
        return None

    def _check_shards(self) -> None:
        shards = f"Trainer.num_shards = {self.num_shards}"
        if self.num_envs % self.num_shards:
            raise errors.ConfigError(f"{shards} does not divide Trainer.num_envs = {self.num_envs}")
        if self.num_learners > self.num_shards:
            raise errors.ConfigError(
                f"Trainer.num_learners = {self.num_learners} must not exceed {shards}"
            )
        if self.num_shards > 1 and not self.algorithm.sharded:
            raise errors.ConfigError(
                f"{shards}: Trainer.algorithm = @{type(self.algorithm).__name__}() cannot divide "
                "its batch; see Algorithm.sharded",
                page="design.md#shards-and-machines",
            )
        if self.num_shards > 1 and self.schedule.policy_lag is None:
            raise errors.ConfigError(
                f"{shards}: under Trainer.schedule = @{self.schedule.__name__} a batch is of other "
                "environments each time, and cannot be divided by these",
                page="design.md#shards-and-machines",
            )

    def _check_reward_scaling(self) -> None:
        scaling = f"Trainer.reward_scaling = @{self.reward_scaling.__name__}"
        if self.schedule.policy_lag is None:
            raise errors.ConfigError(
                f"{scaling} adds up rewards from one rollout to the next; under Trainer.schedule = "
                f"@{self.schedule.__name__} these are of other environments each time: bind None"
            )
        if not hasattr(self.algorithm, "discount"):
            raise errors.ConfigError(
                f"{scaling} needs an algorithm with a discount; Trainer.algorithm = "
                f"@{type(self.algorithm).__name__}() has no attribute of that name"
            )
