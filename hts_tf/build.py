"""From settings to a pipeline: builds the roles of a training run, and wires them."""

from pathlib import Path

from hts_tf import operative, plan, run_scope, seeding
from hts_tf.algorithms.shards import Shards
from hts_tf.collecting import data_storage
from hts_tf.collecting.policy import Policy
from hts_tf.collecting.workers import Workers
from hts_tf.files import policies
from hts_tf.files.keeper import Keeper
from hts_tf.files.policies import Snapshots
from hts_tf.files.workdir import Workdir
from hts_tf.learner import Learner
from hts_tf.networks import choice
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.opponents.pool import Pool, Store
from hts_tf.pipeline import Pipeline
from hts_tf.plan import Plan
from hts_tf.run_state import Parts
from hts_tf.settings import Settings
from hts_tf.system import compute, terminal
from hts_tf.team import Alone, Team
from hts_tf.watching.evaluation_process import EvaluationProcess
from hts_tf.watching.reporter import Reporter
from hts_tf.watching.tracer import Tracer


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
    planned = plan.of(settings, team, traced=trace_intervals > 0)
    if team.size > 1:
        # Several exchanges may wait at the same time, in other orders on other machines, and each
        # of them takes a thread.
        compute.require_inter_op_threads(8, "with --num_machines")
    chosen = choice.bind(settings.environment.spec)
    plan.check(planned)

    parts = _parts(planned, path, seed)
    workers = parts.collector.workers
    tracer = None
    if trace_intervals:
        has_sync_points = planned.schedule.policy_lag is not None
        tracer = Tracer(path, workers, trace_intervals, has_sync_points)
    evaluations = None
    if team.number == 0 and settings.evaluate_every_updates is not None:
        evaluations = EvaluationProcess(path, settings)
    pipeline = Pipeline(
        parts, planned.env_steps_per_update, tracer, evaluations, settings.stop_at_score
    )
    configuration = operative.text(seed)
    try:
        played = run_scope.played(configuration)
        run_scope.check_alike(team, played)
        pipeline.open(configuration, run_scope.describe(played, workers.policy))
    except BaseException:  # such as a machine that is lost: who begins again wants the workdir
        pipeline.close()
        raise
    if chosen and team.number == 0:
        terminal.say(f"chosen by what the environment says: {', '.join(chosen)}")
    return pipeline


def _parts(planned: Plan, workdir: Path, seed: int) -> Parts:
    settings, team = planned.settings, planned.team
    environment = settings.environment.spec
    weights_seed = seeding.integer(seed, "weights")
    target, behaviour = (ActorCritic(environment, weights_seed) for _ in range(2))
    gradient_agent = None
    if planned.is_gradient_delayed:
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
    workers = Workers(settings.environment, target.step, policy, seed, planned.crew, pool)
    learner = Learner(
        target,
        settings.algorithm,
        data_storage.empty(
            target.step, settings.sync_interval, planned.width, environment.num_players
        ),
        planned.num_updates,
        seed,
        gradient_agent,
        settings.reward_scaling,
        Shards(
            settings.num_shards,
            planned.share.shards,
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
            planned.num_updates * planned.env_steps_per_update,
            settings.observers,
        )
    return Parts(
        schedule=planned.schedule,
        collector=planned.schedule.collector_type(workers),
        learner=learner,
        behaviour=behaviour,
        pool=pool,
        progress=plan.progress(settings),
        keeper=Keeper(settings, Workdir(workdir), seed, team, planned.share),
        reporter=reporter,
        team=team,
        share=planned.share,
    )
