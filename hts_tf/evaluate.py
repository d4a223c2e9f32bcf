"""Command line: evaluates a policy of a run, perhaps against another one."""

import functools
import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import bindings, confidence, config, errors, evaluator, specs
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base, two_sided
from hts_tf.environments.football import ai
from hts_tf.files import archive, evaluations, fingerprint_log, participants, policies, run_flags
from hts_tf.files.episodes import Episode
from hts_tf.files.workdir import Workdir
from hts_tf.observers import csv_log
from hts_tf.opponents.roster import ITSELF
from hts_tf.system import child, command, compute, outputs, terminal, whole
from hts_tf.watching import tensorboard_log

_EPISODES = flags.DEFINE_integer("episodes", 100, "number of episodes to play", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "random seed that selects the episodes", lower_bound=0)
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic_policy", False, "always take the most probable action"
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    "newest",
    "checkpoint to evaluate: newest; best, of those evaluated while the run trained; or the number "
    "of updates of one that is still there",
)
_OPPONENT = flags.DEFINE_string(
    "opponent",
    None,
    "who plays the other side: the newest policy of a WORKDIR, WORKDIR@UPDATES, WORKDIR@best, or a "
    "model's name; in football there is that side, with as many players, also if the run was "
    "without, and 'AI 0.05' is gfootball's own AI of that difficulty, with the whole team",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "table to write, FILE.csv, beside which the episodes are; default: in the workdir, or "
    "of a --model in runs/models/NAME",
)
_VIDEO = flags.DEFINE_bool("video", True, "show the first episode in TensorBoard")

_COLUMNS = ("episode", *Episode._fields)  # of every table, before others
_HISTOGRAM_BINS = 10
_HISTOGRAM_WIDTH = 50  # characters


def evaluate() -> None:
    """Evaluates, writes what was played, and prints how it went.

    Raises:
      ConfigError: the workdir holds nothing that can be evaluated, or not against this opponent.
      ProtocolError: an environment broke a rule.
    """
    workdir = Workdir(run_flags.workdir())
    name = _OPPONENT.value
    sides = functools.partial(two_sided.against, opponent=name or "")
    _, environment, agent, found = participants.load(
        _name(), run_flags.MODULES.value, compute.configure, sides
    )
    max_batch = evaluator.PARALLEL * environment.spec.num_players
    policy, rivals = Policy(agent, max_batch), None
    against = ITSELF if environment.spec.num_rivals else ""
    difficulty = ai.difficulty(name) if name else None
    if difficulty is not None:
        against = ai.name(difficulty)
    elif name:
        bound = bindings.dump()
        opponent = participants.load(name, run_flags.MODULES.value)
        participants.check_that_they_can_meet(agent, opponent.agent, opponent.name)
        rivals, against = Policy(opponent.agent, max_batch), opponent.name
        bindings.restore(bound)  # the game is this run's
    path = _table(_OUTPUT.value or run_flags.results() / _file_name(found, against))
    played = evaluator.play(
        environment,
        policy,
        _EPISODES.value,
        _SEED.value,
        evaluator.PARALLEL,
        _DETERMINISTIC.value,
        rivals,
    )
    spec = environment.spec
    is_met = [difficulty is not None or spec.has_rivals(task) for task in range(spec.num_tasks)]
    records = [
        record._replace(against=against if is_met[record.task] else "") for record, *_ in played
    ]
    columns = [*_COLUMNS, "task", *spec.figures]
    rows = (
        [n, r.score, r.episode_return, r.length, r.task, *r.figures] for n, r in enumerate(records)
    )
    with whole.refusing("the evaluation"):
        whole.write_csv(path, columns, rows)
        archive.write(path.with_suffix(".bin"), records)
    made = f"{found.updates:,} updates"
    if found.env_steps is not None:
        made = f"{found.env_steps:,} env steps and {made}"
    whom = f" against {against}" if name else ""
    met = [record for record in records if record.against] if name else records
    # In others, of tasks without another side, nobody met it.
    number = f"{len(met)} of {len(records)}" if len(met) < len(records) else len(records)
    print(f"{number} episodes with the policy of {made}{whom}, also in {path}")
    _print_tasks(records, spec)
    if met:
        _print_outcomes(met, spec)
    if _VIDEO.value and isinstance(environment, base.Watchable):
        try:
            _show(workdir, path.with_suffix(".bin"), found.env_steps or 0)
        except OSError as error:  # such as that the workdir is another one's
            terminal.warn(f"no video of the first episode: {error}")


def _print_tasks(records: Sequence[archive.Record], spec: specs.EnvironmentSpec) -> None:
    for task in range(spec.num_tasks) if spec.num_tasks > 1 else ():
        scores = [r.score for r in records if r.task == task]
        if scores:
            print(f"task {task}: {len(scores)} episodes, mean score {np.mean(scores):.3f}")


def _print_outcomes(records: Sequence[archive.Record], spec: specs.EnvironmentSpec) -> None:
    outcomes = [(r.score, r.episode_return, r.length, *r.figures) for r in records]
    names = (*Episode._fields, *spec.figures)
    for name, values in zip(names, np.transpose(outcomes), strict=True):
        print(f"\n{name}: {_summary(values)}")
        print(histogram(values))


def _table(output: str | Path) -> Path:
    """Returns where the table goes, which can be written there.

    Raises:
      ConfigError: it cannot; or it, or what lies beside it, may not, as it is some training's.
    """
    path = Path(output)
    if path.suffix != ".csv":
        raise errors.ConfigError(f"--output={path} must end in .csv")
    played = path.with_suffix(".bin")
    tables = (fingerprint_log.TABLE, evaluations.FILE_NAME, csv_log.FILE_NAME)
    has_archive = played.name == archive.FILE_NAME and played.exists()
    # A table that is not there yet may still come, with a run's next update.
    if (path.name in tables or has_archive) and Workdir(path.parent).config.exists():
        written = played if has_archive else path
        raise errors.ConfigError(f"--output={path}: {written} is the training's; take another name")
    outputs.check_table(path, path, _COLUMNS, "an evaluation", or_more=True)
    if played.exists() and not archive.read(played):
        raise errors.ConfigError(
            f"--output={path}: {played} is there, and no archive of episodes; take another name"
        )
    # Before all is played.
    outputs.prepare(path, "--output" if _OUTPUT.value else "the evaluation")
    return path


def _name() -> str:
    """Returns the policy's, see `policies`. Raises: ConfigError: --checkpoint names none."""
    which = _CHECKPOINT.value
    if which == "newest":
        return run_flags.workdir()
    if which != "best" and not which.isdecimal():
        raise errors.ConfigError(
            f"--checkpoint={which} must be newest, best, or a number of updates"
        )
    return f"{run_flags.workdir()}/@{which}"  # of this run, also where one is called WORKDIR@...


def _file_name(found: policies.Parameters, against: str) -> str:
    policy = "most_probable" if _DETERMINISTIC.value else "sampled"
    whom = f"_against_{outputs.as_name(against)}" if _OPPONENT.value else ""
    # Not of env steps, of which the last two updates under `hts` have as many.
    made = f"evaluation_{found.updates:06d}_{policy}{whom}"
    return f"{made}_seed{_SEED.value}_episodes{_EPISODES.value}.csv"


def _show(workdir: Workdir, episodes: Path, env_steps: int) -> None:
    """Writes the first episode's video for TensorBoard; if there can be none, a line says why.

    It is played again by `hts_tf.replay`: many renderers do not go together with TensorFlow in one
    process.

    Args:
      workdir: of the run.
      episodes: their archive.
      env_steps: of the policy that played them.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "first.gif")
        flags_ = [f"--workdir={workdir.path}", f"--archive={episodes}", "--episode=0"]
        flags_ += [f"--output={path}", *config.modules_flags(run_flags.MODULES.value)]
        try:
            child.run("hts_tf.replay", flags_)
        except child.ChildError as error:
            if not path.exists():  # it is, of an episode that was not played the same
                terminal.warn(f"no video of the first episode: {error}")
                return
        content = path.read_bytes()
        size = Image.open(path).size
    # Not the training's directory: TensorBoard follows only the newest file of one, and the
    # training may go on.
    tensorboard = tensorboard_log.TensorBoard(run_flags.results() / "evaluation")
    tensorboard.animation(env_steps, "evaluation/first_episode", content, size)
    tensorboard.close()


def _summary(values: np.ndarray) -> str:
    """Returns mean, where that of ever more episodes is likely to be, and standard deviation."""
    between = confidence.between(values)
    return f"mean {values.mean():.3f}, {between}, standard deviation {values.std():.3f}"


def histogram(values: np.ndarray) -> str:
    """Draws a histogram in text, one line for each bin; or for each value, if these are few."""
    shown = values.round(2) + 0.0  # no -0.0
    found, counts = np.unique(shown, return_counts=True)
    labels = [f"{value:8.2f}" for value in found]
    if len(found) > _HISTOGRAM_BINS:
        counts, edges = np.histogram(values, _HISTOGRAM_BINS)
        labels = [f"{low:8.2f} to {high:8.2f}" for low, high in itertools.pairwise(edges)]
    block = "█" if sys.stdout.encoding.lower().startswith("utf") else "#"
    return "\n".join(
        f"  {label}  {count:5d}  {block * round(_HISTOGRAM_WIDTH * count / counts.max())}"
        for label, count in zip(labels, counts, strict=True)
    )


if __name__ == "__main__":
    command.run(evaluate)
