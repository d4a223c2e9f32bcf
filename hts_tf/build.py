"""From settings to a pipeline: builds the roles of a training run, and wires them."""

from collections.abc import Sequence
from pathlib import Path

from hts_tf import errors, operative, seeding, specs
from hts_tf.algorithms.shards import Shards
from hts_tf.collecting import data_storage, shared_memory, workers
from hts_tf.collecting.policy import FLEXIBLE, Policy
from hts_tf.collecting.workers import Crew, Workers
from hts_tf.curriculum.curriculum import Progress
from hts_tf.files import policies, scope
from hts_tf.files.keeper import Keeper
from hts_tf.files.policies import Snapshots
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.networks import choice, sketch
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.agent import Agent
from hts_tf.opponents.pool import Opponents, Pool, Store
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
    schedule = settings.schedule(settings.num_envs)
    steps_per_update = settings.sync_interval * schedule.rollout_width
    num_updates = -(-settings.total_env_steps // steps_per_update)

    path = Path(workdir)
    team = team or Alone()
    is_first = team.number == 0
    part = share(team, settings.num_shards, settings.num_envs)
    learnt = schedule.rollout_width
    if team.size > 1:
        learnt = len(part.envs)
        # Several exchanges may wait at the same time, in other orders on other machines, and each
        # of them takes a thread.
        compute.require_inter_op_threads(8, "with --num_machines")

    environment = settings.environment.spec
    crew = _crew(settings, schedule, part, traced=trace_intervals > 0)
    delayed = bool(settings.algorithm.delayed_gradient and schedule.policy_lag)
    chosen = choice.bind(environment)
    planned = sketch.sketch(environment)
    _check_learning(settings, schedule, planned)
    num_agents = 2 + delayed
    if settings.opponents is not None:
        num_agents += settings.opponents.most_at_once(num_updates)
    _check_memory(settings, schedule, crew, planned, num_agents)

    weights_seed = seeding.integer(seed, "weights")
    target, behaviour = (ActorCritic(environment, weights_seed) for _ in range(2))
    gradient_agent = ActorCritic(environment, weights_seed) if delayed else None
    step = target.step
    # Checked for num_envs, as results must not depend on actor_batch_size.
    policy = Policy(behaviour, settings.num_envs * environment.num_players)
    pool = None
    if settings.opponents is not None:
        pool = _pool(settings.opponents, environment, policy, weights_seed, path, seed)
    workers_ = Workers(settings.environment, step, policy, seed, crew, pool)
    collector = schedule.collector_type(workers_)

    learner = Learner(
        target,
        settings.algorithm,
        data_storage.empty(step, settings.sync_interval, learnt, environment.num_players),
        num_updates,
        seed,
        gradient_agent,
        settings.reward_scaling,
        Shards(
            settings.num_shards,
            part.shards,
            settings.num_learners,
            team.gather if team.size > 1 else None,
        ),
    )
    progress = None
    if environment.num_tasks > 1:
        progress = Progress(settings.curriculum, environment.num_tasks)
    keeper = Keeper(settings, Workdir(path), seed, team, part)
    reporter = None
    if is_first:
        reporter = Reporter(
            path,
            policy.batching,
            settings.unrepeatable,
            num_updates * steps_per_update,
            settings.observers,
        )
    tracer = None
    if trace_intervals:
        tracer = Tracer(path, workers_, trace_intervals, schedule.policy_lag is not None)
    evaluations = None
    if is_first and settings.evaluate_every_updates is not None:
        evaluations = EvaluationProcess(path, settings)
    parts = Parts(
        schedule, collector, learner, behaviour, pool, progress, keeper, reporter, team, part
    )
    pipeline = Pipeline(parts, steps_per_update, tracer, evaluations, settings.stop_at_score)
    configuration = operative.text(seed)
    try:
        played = _played(configuration)
        check_alike(team.all(played))
        pipeline.open(configuration, _scope(played, policy))
    except BaseException:  # such as a machine that is lost: who begins again wants the workdir
        pipeline.close()
        raise
    if chosen and is_first:
        terminal.say(f"chosen by what the environment says: {', '.join(chosen)}")
    return pipeline


def _pool(
    opponents: Opponents,
    environment: specs.EnvironmentSpec,
    policy: Policy,
    weights_seed: int,
    workdir: Path,
    seed: int,
) -> Pool:
    return Pool(
        opponents,
        environment,
        policy,
        lambda: ActorCritic(environment, weights_seed),
        Store(Snapshots(workdir), Snapshots(workdir, "frozen"), policies.load),
        seed,
    )


def _played(configuration: str) -> dict[str, str]:
    """Returns what others' environments, scenarios and the user's modules consist of here."""
    bound = operative.bindings(configuration)
    scenarios = {value for name, value in bound.items() if name.endswith("Football.scenario")}
    watching = {*bound.get(operative.WATCHING, ())}
    modules = sorted({*bound.get(operative.IMPORTS, ())} - watching)
    return {
        **scope.simulators(),
        **scope.scenarios(sorted(scenarios)),
        **scope.modules(modules),
    }


def check_alike(machines: Sequence[dict[str, str]]) -> None:
    """Checks that what environments consist of is the same on all machines.

    Else they would be learnt from as they are: to other bits than on one machine, without a sign.
    (`machines.head` compares what all runs need, before TensorFlow is loaded.)

    Args:
      machines: of each, what environments consist of, see `files.scope`; some may load more.

    Raises:
      ConfigError: they differ.
    """
    for number, there in enumerate(machines):
        for name in sorted(machines[0].keys() & there.keys()):
            if there[name] != machines[0][name]:
                raise errors.ConfigError(
                    f"machine {number} has {name} {there[name]}, machine 0 {machines[0][name]}: "
                    "install the same on all machines",
                    page="cluster.md#what-has-to-be-the-same-on-all-machines",
                )


def _scope(played: dict[str, str], policy: Policy) -> dict[str, str]:
    """Returns all that the run's bits depend on but its configuration; see `files.scope`."""
    return {
        **scope.describe(),
        **played,
        **compute.describe(),
        "inference": _inference(policy),
    }


def _crew(settings: Settings, schedule: Schedule, part: Share, traced: bool) -> Crew:
    num_envs = len(part.envs)
    return Crew(
        num_envs=num_envs,
        sync_interval=settings.sync_interval,
        num_executors=min(settings.num_executors, num_envs),
        num_actors=settings.num_actors,
        actor_batch_size=min(settings.actor_batch_size, num_envs),
        num_storages=schedule.num_storages,
        shards=part.shards,
        first_env=part.envs.start,
        lockstep=schedule.lockstep,
        crash_limit=settings.crash_limit,
        step_timeout_sec=settings.step_timeout_sec,
        traced=traced,
    )


def _check_learning(settings: Settings, schedule: Schedule, planned: Agent) -> None:
    """Raises: ConfigError: the algorithm cannot train such an agent on such batches."""
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


def _check_memory(
    settings: Settings, schedule: Schedule, crew: Crew, planned: Agent, num_agents: int
) -> None:
    """Raises: ConfigError: memory does not suffice for what is about to be allocated."""
    environment = settings.environment.spec
    shared = workers.memory_fields(planned.step, environment, crew)
    length, width = settings.sync_interval, schedule.rollout_width
    learnt = data_storage.fields(planned.step, length, width, 1, environment.num_players)
    memory.require(
        shared_memory.total_nbytes(shared)
        + shared_memory.total_nbytes(learnt)
        + _PERMUTATION_BYTES * settings.algorithm.epochs * length * width * environment.num_players
        # The agents; gradients, and the optimizer's two means.
        + sketch.nbytes(planned) * (num_agents + 2 + settings.num_shards),
        "lower Trainer.num_envs, Trainer.sync_interval, Opponents.pool_size or what the network is "
        "made of",
    )


def _inference(policy: Policy) -> str:
    verdict = "passed" if policy.batching in FLEXIBLE else "failed for any size"
    return f"{policy.batching.value} (self-check {verdict})"
