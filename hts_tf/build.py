"""From settings to a pipeline: builds the roles of a training run, and wires them."""

from pathlib import Path

from hts_tf import errors, operative, run_scope, seeding
from hts_tf.algorithms.shards import Shards
from hts_tf.collecting import data_storage, shared_memory, workers
from hts_tf.collecting.policy import Policy
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.curriculum.curriculum import Progress
from hts_tf.files import policies
from hts_tf.files.keeper import Keeper
from hts_tf.files.policies import Snapshots
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.networks import choice, sketch
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.agent import Agent
from hts_tf.opponents.pool import Pool, Store
from hts_tf.pipeline import Pipeline
from hts_tf.run_state import Parts
from hts_tf.schedules.schedule import Schedule
from hts_tf.settings import Settings
from hts_tf.system import compute, memory, terminal
from hts_tf.team import Alone, Share, Team, share
from hts_tf.watching.evaluation_process import EvaluationProcess
from hts_tf.watching.reporter import Reporter
from hts_tf.watching.tracer import Tracer

_PERMUTATION_BYTES = 4  # an int32 for each env step and epoch


def build(
    settings: Settings,
    workdir: str,
    seed: int,
    trace_intervals: int = 0,
    team: Team | None = None,
) -> Pipeline:
    """Builds a training run; starts nothing.

    Args:
      settings: of the run.
      workdir: where configuration, event files and checkpoints go. If it holds checkpoints
        of the same configuration, the run goes on from the newest.
      seed: of everything random in the run.
      trace_intervals: how many intervals (`Asynchronous`: updates) to record, see `Tracer`.
      team: of machines; None for this one alone.

    Raises:
      ConfigError: settings do not go together, the workdir cannot be used, or memory does not
        suffice; the message says what to change.
      MachineLostError: another machine of the team is lost.
    """
    team, path = team or Alone(), Path(workdir)
    schedule = settings.schedule(settings.num_envs)
    num_updates = _num_updates(settings, schedule)
    own_share = share(team, settings.num_shards, settings.num_envs)
    if team.size > 1:
        # Several exchanges may wait at the same time, in other orders on other machines, and each
        # of them takes a thread.
        compute.require_inter_op_threads(8, "with --num_machines")
    crew = _crew(settings, schedule, own_share, traced=trace_intervals > 0)
    chosen = choice.bind(settings.environment.spec)
    width = len(own_share.envs) if team.size > 1 else schedule.rollout_width
    _check(settings, schedule, crew, num_updates, width, is_first=team.number == 0)

    parts = _parts(settings, path, seed, schedule, crew, num_updates, team, own_share, width)
    workers_ = parts.collector.workers
    tracer = None
    if trace_intervals:
        tracer = Tracer(path, workers_, trace_intervals, schedule.policy_lag is not None)
    evaluations = None
    if team.number == 0 and settings.evaluate_every_updates is not None:
        evaluations = EvaluationProcess(path, settings)
    steps_per_update = settings.sync_interval * schedule.rollout_width
    pipeline = Pipeline(parts, steps_per_update, tracer, evaluations, settings.stop_at_score)
    configuration = operative.text(seed)
    try:
        played = run_scope.played(configuration)
        run_scope.check_alike(team, played)
        pipeline.open(configuration, run_scope.describe(played, workers_.policy))
    except BaseException:  # such as a machine that is lost: who begins again wants the workdir
        pipeline.close()
        raise
    if chosen and team.number == 0:
        terminal.say(f"chosen by what the environment says: {', '.join(chosen)}")
    return pipeline


def _parts(
    settings: Settings,
    workdir: Path,
    seed: int,
    schedule: Schedule,
    crew: Crew,
    num_updates: int,
    team: Team,
    own_share: Share,
    width: int,
) -> Parts:
    environment = settings.environment.spec
    weights_seed = seeding.integer(seed, "weights")
    target, behaviour = (ActorCritic(environment, weights_seed) for _ in range(2))
    gradient_agent = None
    if _is_gradient_delayed(settings, schedule):
        gradient_agent = ActorCritic(environment, weights_seed)
    # Checked for num_envs, as results must not depend on actor_batch_size.
    policy = Policy(behaviour, settings.num_envs * environment.num_players)
    pool = None
    if settings.opponents is not None:
        pool = Pool(
            settings.opponents,
            environment,
            policy,
            lambda: ActorCritic(environment, weights_seed),
            Store(Snapshots(workdir), Snapshots(workdir, "frozen"), policies.load),
            seed,
        )
    workers_ = Workers(settings.environment, target.step, policy, seed, crew, pool)
    learner = Learner(
        target,
        settings.algorithm,
        data_storage.empty(target.step, settings.sync_interval, width, environment.num_players),
        num_updates,
        seed,
        gradient_agent,
        settings.reward_scaling,
        Shards(
            settings.num_shards,
            own_share.shards,
            settings.num_learners,
            team.all_gather_array if team.size > 1 else None,
        ),
    )
    reporter = None
    if team.number == 0:
        reporter = Reporter(
            workdir,
            policy.batching,
            settings.unrepeatable,
            num_updates * settings.sync_interval * schedule.rollout_width,
            settings.observers,
        )
    return Parts(
        schedule=schedule,
        collector=schedule.collector_type(workers_),
        learner=learner,
        behaviour=behaviour,
        pool=pool,
        progress=_progress(settings),
        keeper=Keeper(settings, Workdir(workdir), seed, team, own_share),
        reporter=reporter,
        team=team,
        share=own_share,
    )


def _crew(settings: Settings, schedule: Schedule, own_share: Share, traced: bool) -> Crew:
    num_envs = len(own_share.envs)
    return Crew(
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


def _check(
    settings: Settings,
    schedule: Schedule,
    crew: Crew,
    num_updates: int,
    width: int,
    is_first: bool,
) -> None:
    """Raises: ConfigError: the agent cannot be trained like this, or memory does not suffice."""
    planned = sketch.sketch(settings.environment.spec)
    _check_learning(settings, schedule, planned)
    is_delayed = _is_gradient_delayed(settings, schedule)
    num_agents = 2 + is_delayed
    if settings.opponents is not None:
        num_agents += settings.opponents.most_at_once(num_updates)
    # A checkpoint, of the agent, the optimizer's means, and where the gradient is taken: once as
    # arrays, and once as a file.
    num_saved = 2 * (3 + is_delayed) if is_first else 0
    _check_memory(settings, width, crew, planned, num_agents, num_saved)


def check_agent(settings: Settings) -> list[str]:
    """Finds out whether an agent can be trained, before there is a workdir, or much memory taken.

    Returns:
      What the environment chooses of it, see `choice.bind`.

    Raises:
      ConfigError: there is no agent like this, the algorithm cannot train it, or who or what is to
        be played cannot be.
    """
    environment = settings.environment.spec
    chosen = choice.bind(environment)
    _progress(settings)
    if settings.opponents is not None:
        for make in settings.opponents.scripted:
            make(environment)
    _check_learning(settings, settings.schedule(settings.num_envs), sketch.sketch(environment))
    return chosen


def _num_updates(settings: Settings, schedule: Schedule) -> int:
    return -(-settings.total_env_steps // (settings.sync_interval * schedule.rollout_width))


def _is_gradient_delayed(settings: Settings, schedule: Schedule) -> bool:
    return bool(settings.algorithm.delayed_gradient and schedule.policy_lag)


def _check_learning(settings: Settings, schedule: Schedule, planned: Agent) -> None:
    """Raises: ConfigError: the algorithm cannot train such an agent like this."""
    if settings.opponents is not None:
        settings.opponents.check(_num_updates(settings, schedule), schedule.policy_lag or 0)
    sequence_length = planned.sequence_length(settings.sync_interval)
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


def _progress(settings: Settings) -> Progress | None:
    """Returns how a run fares with its tasks, if there are several."""
    num_tasks = settings.environment.spec.num_tasks
    return Progress(settings.curriculum, num_tasks) if num_tasks > 1 else None


def _check_memory(
    settings: Settings, width: int, crew: Crew, planned: Agent, num_agents: int, num_saved: int
) -> None:
    """Raises: ConfigError: memory does not suffice for what is about to be allocated.

    Args:
      settings: of the run.
      width: of the rollouts that are learnt from here.
      crew: of this machine.
      planned: see `sketch`.
      num_agents: that there will be here.
      num_saved: as many agents as a checkpoint takes up while it is written.
    """
    environment = settings.environment.spec
    shared = workers.memory_fields(planned.step, environment, crew)
    length = settings.sync_interval
    learnt = data_storage.fields(planned.step, length, width, 1, environment.num_players)
    needed = (
        shared_memory.total_nbytes(shared)
        + shared_memory.total_nbytes(learnt)
        + _PERMUTATION_BYTES * settings.algorithm.epochs * length * width * environment.num_players
        # The agents; gradients, and the optimizer's two means.
        + sketch.nbytes(planned) * (num_agents + 2 + settings.num_shards + num_saved)
    )
    lower = "Trainer.sync_interval, Opponents.pool_size or what the network is made of"
    played = {name: field for name, field in shared.items() if name.startswith("ledger/")}
    if 2 * shared_memory.total_nbytes(played) > needed:
        lower = (
            f"how long an episode may be, now {environment.max_episode_steps:,} env steps "
            "(Gymnasium.max_episode_steps or the like)"
        )
    memory.require(needed, f"lower Trainer.num_envs, {lower}")
