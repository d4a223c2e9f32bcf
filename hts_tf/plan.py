"""The plan of a training run on this machine, and whether it can be carried out."""

from typing import NamedTuple

from hts_tf import errors
from hts_tf.collecting import data_storage, shared_memory, workers
from hts_tf.collecting.workers import Crew
from hts_tf.curriculum.curriculum import Progress
from hts_tf.environments import base
from hts_tf.files import policies
from hts_tf.networks import choice, sketch
from hts_tf.networks.agent import Agent
from hts_tf.schedules.schedule import Schedule
from hts_tf.settings import Settings
from hts_tf.system import memory
from hts_tf.team import Alone, Share, Team, share

_PERMUTATION_BYTES = 4  # an int32 for each env step and epoch


class Plan(NamedTuple):
    """A training run on this machine, before anything of it is there.

    Attributes:
      settings: of the run.
      schedule: of rollout and learning.
      team: of machines.
      share: of this machine.
      crew: of this machine.
    """

    settings: Settings
    schedule: Schedule
    team: Team
    share: Share
    crew: Crew

    @property
    def env_steps_per_update(self) -> int:
        """Of all machines."""
        return self.settings.sync_interval * self.schedule.rollout_width

    @property
    def num_updates(self) -> int:
        """Of the whole run."""
        return -(-self.settings.total_env_steps // self.env_steps_per_update)

    @property
    def width(self) -> int:
        """Of the rollouts that are learnt from here."""
        return len(self.share.envs) if self.team.size > 1 else self.schedule.rollout_width

    @property
    def is_gradient_delayed(self) -> bool:
        """Whether it is taken where the data are from, and applied to the target."""
        return bool(self.settings.algorithm.delayed_gradient and self.schedule.policy_lag)


def of(settings: Settings, team: Team, traced: bool = False) -> Plan:
    """Returns the plan for a machine of the team.

    Args:
      settings: of the run.
      team: of machines, as this one sees it.
      traced: see `Crew`.
    """
    schedule = settings.schedule(settings.num_envs)
    own_share = share(team, settings.num_shards, settings.num_envs)
    num_envs = len(own_share.envs)
    crew = Crew(
        num_envs=num_envs,
        sync_interval=settings.sync_interval,
        num_executors=min(settings.num_executors, num_envs),
        num_actors=settings.num_actors,
        actor_batch_size=min(settings.actor_batch_size, num_envs),
        num_storages=schedule.num_storages,
        shards=own_share.shards,
        first_env=own_share.envs.start,
        lockstep=schedule.lockstep,
        crash_limit=settings.crash_limit,
        step_timeout_sec=settings.step_timeout_sec,
        traced=traced,
    )
    return Plan(settings, schedule, team, own_share, crew)


def progress(settings: Settings) -> Progress | None:
    """Returns how a run fares with its tasks, if there are several."""
    num_tasks = settings.environment.spec.num_tasks
    return Progress(settings.curriculum, num_tasks) if num_tasks > 1 else None


def check(plan: Plan) -> None:
    """Raises: ConfigError: the agent cannot be trained like this, or memory does not suffice."""
    sketched = sketch.sketch(plan.settings.environment.spec)
    _check_learning(plan, sketched)
    _check_memory(plan, sketched)


def check_agent(settings: Settings) -> list[str]:
    """Finds out whether an agent can be trained, before there is a workdir, or much memory taken.

    Returns:
      What the environment chooses of it, see `choice.bind`.

    Raises:
      ConfigError: there is no agent like this, the algorithm cannot train it, or who or what it
        is to begin with or to play cannot be.
    """
    environment = settings.environment.spec
    chosen = choice.bind(environment)
    progress(settings)
    sketched = sketch.sketch(environment)
    if settings.opponents is not None:
        for make in settings.opponents.scripted:
            make(environment)
        for name in settings.opponents.frozen:
            policies.read(name).check(sketched)
    if settings.start_from is not None:
        policies.read(settings.start_from).check(sketched)
    _check_learning(of(settings, Alone()), sketched)
    return chosen


def _check_recipe(settings: Settings) -> None:
    """Raises: ConfigError: the environment's recipe cannot be handed over to executors."""
    if why := base.why_it_stays(settings.environment):
        raise errors.ConfigError(
            f"Trainer.environment = @{type(settings.environment).__name__}() cannot be handed over "
            f"to executors ({why}): its fields must be plain values, or functions and classes that "
            "a module has by name",
            page="your_own_environment.md#a-class-of-our-own-protocol",
        )


def _check_learning(plan: Plan, sketched: Agent) -> None:
    """Raises: ConfigError: the algorithm cannot train such an agent like this."""
    settings, schedule = plan.settings, plan.schedule
    _check_recipe(settings)
    if settings.opponents is not None:
        settings.opponents.check(plan.num_updates, schedule.policy_lag or 0)
    sequence_length = sketched.sequence_length(settings.sync_interval)
    if sequence_length and not settings.algorithm.recurrent:
        raise errors.ConfigError(
            f"Trainer.algorithm = @{type(settings.algorithm).__name__}() cannot train an agent "
            "that remembers: leave ActorCritic.core unbound",
            page="design.md#memory",
        )
    num_columns = schedule.rollout_width * settings.environment.spec.num_players
    settings.algorithm.check_batch(
        settings.sync_interval, num_columns // settings.num_shards, sequence_length
    )


def _check_memory(plan: Plan, sketched: Agent) -> None:
    """Raises: ConfigError: memory does not suffice for what is about to be allocated."""
    settings, environment = plan.settings, plan.settings.environment.spec
    shared = workers.memory_fields(sketched.step, environment, plan.crew)
    length, num_columns = settings.sync_interval, plan.width * environment.num_players
    learnt = data_storage.fields(sketched.step, length, plan.width, 1, environment.num_players)
    # Target and behaviour; gradients, and the optimizer's two means; where the gradient is taken.
    num_copies = 2 + settings.num_shards + 2 + plan.is_gradient_delayed
    if settings.opponents is not None:
        num_copies += settings.opponents.most_at_once(plan.num_updates)
    if plan.team.number == 0:
        # A checkpoint, of the agent, the optimizer's means, and where the gradient is taken: once
        # as arrays, and once as a file.
        num_copies += 2 * (3 + plan.is_gradient_delayed)
    needed = (
        shared_memory.total_nbytes(shared)
        + shared_memory.total_nbytes(learnt)
        + _PERMUTATION_BYTES * settings.algorithm.epochs * length * num_columns
        + sketch.nbytes(sketched) * num_copies
    )
    lower = "Trainer.sync_interval, Opponents.pool_size or what the network is made of"
    played = {name: field for name, field in shared.items() if name.startswith("ledger/")}
    if 2 * shared_memory.total_nbytes(played) > needed:
        lower = (
            f"how long an episode may be, now {environment.max_episode_steps:,} env steps "
            "(Gymnasium.max_episode_steps or the like)"
        )
    memory.require(needed, f"lower Trainer.num_envs, {lower}")
