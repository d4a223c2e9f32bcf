"""How trials are made: their runs, one after the other, in workdirs of their own."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hts_tf import candidates, comparison, errors
from hts_tf.candidates import Candidate
from hts_tf.comparison import Run
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import Workdir
from hts_tf.sweeping.record import REFUSED, UNFINISHED, Outcome
from hts_tf.system import parallel, terminal, whole
from hts_tf.system.child import Child, ChildError
from hts_tf.trainings import Training, divergence, has_more, nothing_left

if TYPE_CHECKING:
    from hts_tf.sweeping.study import Trial  # which needs Optuna

# Of each trial: what its runs were begun with, and what it came to.
DRAWN, JUDGED = "drawn.gin", "judged.json"


class Plan(NamedTuple):
    """What all trials have in common.

    Attributes:
      directory: of the sweep.
      runs: of each trial.
      total_env_steps: of each run.
      minutes: that each run may take, and over which values are; None if they are over env steps.
      gin_files: for all runs.
      gin_bindings: the same.
      searched: names of all bindings that differ from trial to trial.
    """

    directory: Path
    runs: Sequence[Run]
    total_env_steps: Sequence[int]
    minutes: float | None
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]
    searched: Collection[str] = ()

    def trial(self, number: int) -> Path:
        """Returns where the runs of a trial are kept."""
        return self.directory / f"trial-{number:04}"

    def workdir(self, trial: int, run: int) -> Path:
        """Returns where a run is kept."""
        return self.trial(trial) / str(self.runs[run])


def check(plan: Plan, trials: Sequence["Trial"]) -> None:
    """Refuses trials that cannot be trained: values that are good alone may not go together.

    Args:
      plan: of all.
      trials: to be made; those that have begun are known to be trainable.
    """
    new = [trial for trial in trials if not _has_begun(plan.trial(trial.number))]
    for trial in new:
        if _was_refused(plan.trial(trial.number), _drawn(trial)):
            trial.refuse()
    trained = dict.fromkeys((run.scenario, run.method) for run in plan.runs)
    tried = [
        (
            trial,
            Candidate(*what, plan.gin_files, plan.gin_bindings, [trial.bindings], needs_score=True),
        )
        for trial in new
        if trial.state == UNFINISHED
        for what in trained
    ]
    refusals = parallel.each(
        candidates.begin_refusals, [candidate for _, candidate in tried], processes=1
    )
    for (trial, _), refusal in zip(tried, refusals, strict=True):
        if refusal and trial.state == UNFINISHED:
            trial.refuse()
            terminal.warn(f"trial {trial.number} cannot be trained: {refusal}")
            _claim(plan.trial(trial.number), _drawn(trial))
            _write_judgement(plan, trial)


def make(plan: Plan, trial: "Trial", begin: Callable[..., Child] = Child) -> Iterator[None]:
    """Makes what is yet to be made of a trial, and judges it; see `trainings.together`.

    Args:
      plan: of all.
      trial: to be made.
      begin: see `Training.steps`.

    Raises:
      ConfigError: it was begun with other values; other settings have changed since the first one
        that has begun; or what the trial came to cannot be read.
      ChildError: a training refused its configuration, or failed in other ways than by learning.
    """
    if trial.state == REFUSED:
        return
    directory = plan.trial(trial.number)
    _claim(directory, _drawn(trial))
    _check_alike(plan, trial.number)
    judgement = _judgement(directory)
    # Who has removed a run wants it made again.
    if judgement["made"] and {*judgement["made"]} <= {*_made(directory)}:
        trial.recall(judgement)
        return
    for number, run in enumerate(plan.runs):
        workdir = plan.workdir(trial.number, number)
        log = RunLog(workdir)
        is_judged = _judge(plan, trial, number, log, ended=bool(Workdir(workdir).ending()))
        has_all = log.env_steps >= plan.total_env_steps[number]
        is_left = not is_judged or (has_all and has_more(workdir, log))
        if is_left and divergence(workdir) is None:
            training = Training(
                f"trial {trial.number}, {run}",
                workdir,
                run.flags,
                plan.gin_files,
                [*plan.gin_bindings, *trial.bindings],
            )
            yield from _train(plan, trial, number, training, log, begin)
            if divergence(workdir) is None and not log.env_steps:
                raise nothing_left(training.name, workdir)
            is_judged = _judge(plan, trial, number, log, ended=divergence(workdir) is None)
        if not is_judged:
            trial.diverge()
            terminal.warn(divergence(workdir))
        if trial.state != UNFINISHED:
            break
    _write_judgement(plan, trial)


def _train(
    plan: Plan,
    trial: "Trial",
    number: int,
    training: Training,
    log: RunLog,
    begin: Callable[..., Child],
) -> Iterator[None]:
    """Trains until a run, or its whole trial, is over; see `make`, also for what it raises."""
    is_checked = False
    # It ends by itself once it has learnt from its last env steps; so does one that has come there
    # before, also if its newest checkpoint is older.
    ends_by_itself = log.env_steps >= plan.total_env_steps[number]

    def is_to_end() -> bool:
        nonlocal is_checked, ends_by_itself
        if log.read() and not is_checked:  # it has begun, so that there is its configuration
            _check_alike(plan, trial.number)
            is_checked = True
        ends_by_itself = ends_by_itself or log.env_steps >= plan.total_env_steps[number]
        return _judge(plan, trial, number, log) and not ends_by_itself

    try:
        yield from training.steps(is_to_end, begin)
    except ChildError as error:
        if error.code != errors.DivergenceError.code:
            raise
    # What was written last, whenever the training was last looked at; it may have ended by
    # itself before its env steps, as Trainer.stop_at_score has it, or an observer.
    log.read()
    _check_alike(plan, trial.number)


def _claim(directory: Path, drawn: str) -> None:
    """Writes what was drawn for a trial, or checks that it is what its runs were begun with.

    Raises:
      ConfigError: it is not, or cannot be written.
    """
    path = directory / DRAWN
    with whole.refusing("--output"):
        directory.mkdir(parents=True, exist_ok=True)
        if path.exists() and _has_begun(directory):
            there = path.read_text(encoding="utf-8")
            if there != drawn:
                raise errors.ConfigError(
                    f"{directory} was begun with {_in_a_line(there)}, but {_in_a_line(drawn)} is "
                    "drawn now: by another Optuna or numpy? Bring that back, or take another "
                    "--output"
                )
        whole.write(path, drawn.encode())


def _drawn(trial: "Trial") -> str:
    return "\n".join(trial.bindings)


def _was_refused(directory: Path, drawn: str) -> bool:
    """Returns whether a trial of these values was, when it was drawn before."""
    is_refused = _judgement(directory)["state"] == REFUSED
    return is_refused and (directory / DRAWN).read_text(encoding="utf-8") == drawn


def _write_judgement(plan: Plan, trial: "Trial") -> None:
    directory = plan.trial(trial.number)
    judgement = {**trial.judgement(), "made": _made(directory)}
    whole.write(directory / JUDGED, json.dumps(judgement).encode())


def _judgement(directory: Path) -> dict[str, Any]:
    """Returns what a trial came to, and the names of the runs that were made of it, if any.

    Raises:
      ConfigError: the file is damaged.
    """
    path = directory / JUDGED
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"state": UNFINISHED, "made": []}
    except ValueError as error:
        raise errors.ConfigError(f"{path} is damaged: {error}; remove it") from error


def _made(directory: Path) -> list[str]:
    return sorted(path.parent.name for path in directory.glob("*/config.gin"))


def _has_begun(directory: Path) -> bool:
    return bool(_made(directory))


def _check_alike(plan: Plan, number: int) -> None:
    """Raises: ConfigError: it differs from the first that has begun in more than is searched."""
    begun = next((one for one in range(number) if _has_begun(plan.trial(one))), number)
    comparison.check_alike(
        ((plan.trial(one), run) for run in plan.runs for one in sorted({begun, number})),
        f"bring the settings back, and remove {plan.trial(number)}; or take another --output",
        plan.searched,
    )


def _in_a_line(drawn: str) -> str:
    return ", ".join(drawn.splitlines())


def _judge(plan: Plan, trial: "Trial", number: int, log: RunLog, ended: bool = False) -> bool:
    """Returns whether a run, or its whole trial, is over; it is if it has ended."""
    curve = log.curve()
    ended = ended or log.env_steps >= plan.total_env_steps[number]
    if plan.minutes is None:
        return trial.take(number, curve.env_steps, curve.score, plan.total_env_steps[number], ended)
    ended = ended or log.minutes >= plan.minutes  # also where no episode has ended by then
    return trial.take(number, curve.minutes, curve.score, plan.minutes, ended)


def outcome(plan: Plan, trial: "Trial") -> Outcome:
    """Returns what a trial has come to."""
    logs = [RunLog(plan.workdir(trial.number, run)) for run in range(len(plan.runs))]
    return Outcome(
        trial.number,
        trial.state,
        trial.value,
        sum(log.env_steps for log in logs),
        sum(log.minutes for log in logs),
        [binding.partition(" = ")[2] for binding in trial.bindings],
        [log.curve() for log in logs],
    )
