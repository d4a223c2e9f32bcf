"""The settings of a training run, as gin binds them; checked, and nothing else."""

import dataclasses

import gin

from hts_tf import errors

# Whoever has settings has all that gin files bind.
from hts_tf.algorithms import a2c, impala, ppo  # noqa: F401
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.environments import base
from hts_tf.networks import actor_critic  # noqa: F401
from hts_tf.schedules import asynchronous, hts, sync  # noqa: F401
from hts_tf.schedules.schedule import Schedule
from hts_tf.system import compute, processors  # noqa: F401


@gin.configurable("Trainer")
@dataclasses.dataclass(frozen=True)
class Settings:
    """What `Trainer.…` binds.

    Attributes:
      environment: recipe of the environments.
      algorithm: whose update the learner runs.
      schedule: who waits for whom.
      num_envs: environments stepped at once.
      num_executors: processes that step them; None takes one for each usable processor core. No
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

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    environment: base.EnvironmentConfig = gin.REQUIRED
    algorithm: Algorithm = gin.REQUIRED
    schedule: type[Schedule] = gin.REQUIRED
    num_envs: int = 16
    num_executors: int | None = None
    num_actors: int = 4
    actor_batch_size: int | None = None
    sync_interval: int = 128
    total_env_steps: int = 5_000_000
    checkpoint_every_sec: float | None = 300.0
    checkpoint_every_updates: int | None = None
    keep_checkpoints: int = 3
    fingerprints: bool = True
    crash_limit: int = 5
    step_timeout_sec: float | None = 300.0
    archive_episodes: bool = True

    def __post_init__(self) -> None:
        errors.check_count("Trainer.num_envs", self.num_envs)
        defaults = {
            "num_executors": min(self.num_envs, processors.usable_cores()),
            "actor_batch_size": self.num_envs,
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name in (
            "num_executors",
            "num_actors",
            "actor_batch_size",
            "sync_interval",
            "total_env_steps",
            "keep_checkpoints",
            "crash_limit",
        ):
            errors.check_count(f"Trainer.{name}", getattr(self, name))
        if self.checkpoint_every_sec is not None:
            errors.check_positive("Trainer.checkpoint_every_sec", self.checkpoint_every_sec)
        if self.checkpoint_every_updates is not None:
            errors.check_count("Trainer.checkpoint_every_updates", self.checkpoint_every_updates)
        if self.step_timeout_sec is not None:
            errors.check_positive("Trainer.step_timeout_sec", self.step_timeout_sec)
        if self.num_executors > self.num_envs:
            raise errors.ConfigError(
                f"Trainer.num_executors = {self.num_executors} must not exceed "
                f"Trainer.num_envs = {self.num_envs}"
            )
        if self.algorithm.delayed_gradient and self.schedule.policy_lag is None:
            raise errors.ConfigError(
                f"Trainer.algorithm = @{type(self.algorithm).__name__}() takes its gradient at "
                "the parameters that collected the data; under Trainer.schedule = "
                f"@{self.schedule.__name__} these vary, so it cannot be used"
            )
