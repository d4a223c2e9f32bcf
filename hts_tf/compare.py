"""Command line: trains by several methods on several scenarios, one run after the other.

A run ends when it has reached all `--targets`, or `Trainer.stop_at_score` where that
is bound, when its minutes are over, or when it has made its env steps. The same command goes on
where it was interrupted. One whose learning goes out of bounds does not keep the others from being
made; it stays as it is, unless its workdir is removed. Runs that differ in more than seeds, as
settings have changed since some of them were made, are refused.

What runs measured is written to CSV files after each of them: see `measurements.write`, and for the
columns `measurements.Measured`; they hold the runs of the last command.
"""

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from hts_tf import candidates, comparison, errors, measurements, operative
from hts_tf.comparison import Run
from hts_tf.files import curves
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import BY_OBSERVER, Workdir
from hts_tf.measurements import DIVERGED, ENV_STEPS, REACHED, STOPPED, UNFINISHED, Measured
from hts_tf.system import command, parallel, terminal
from hts_tf.system.child import ChildError
from hts_tf.trainings import Training, divergence, has_more, nothing_left, together

_SCENARIOS = flags.DEFINE_list(
    "scenarios", ["academy_empty_goal_close"], "scenarios as of hts_tf.train, separated by commas"
)
_METHODS = flags.DEFINE_list(
    "methods", ["hts_ppo", "ppo", "impala"], "methods as of hts_tf.train, separated by commas"
)
_SEEDS = flags.DEFINE_list(
    "seeds", ["0"], "random seeds of each scenario and method, separated by commas"
)
_MINUTES = flags.DEFINE_float(
    "minutes", 30.0, "minutes that a run takes at the most, start-up included", lower_bound=0.01
)
_TARGETS = flags.DEFINE_list(
    "targets",
    None,
    "scores to reach; once its last 100 episodes have had all of them, a run ends. Default: "
    "0.4,0.8 where all are scenarios of football, else none",
)
_OUTPUT = flags.DEFINE_string("output", None, "directory of runs and CSV files", required=True)
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "gin files with further settings, for all runs"
)
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further settings, for all runs")


def measure(workdir: Path, targets: Sequence[float]) -> Measured | None:
    """Returns what a run has measured so far, or None if it has neither begun nor diverged."""
    log, has_diverged = RunLog(workdir), divergence(workdir) is not None
    if not (log.env_steps or has_diverged):
        return None
    measured = measurements.measure(log, _MINUTES.value, targets, *_ends(workdir))
    if has_diverged:
        return measured._replace(ended=DIVERGED)
    if measured.ended == UNFINISHED and Workdir(workdir).ending() == BY_OBSERVER:
        return measured._replace(ended=STOPPED)
    return measured


def _targets() -> tuple[float, ...]:
    if _TARGETS.value is not None:
        return curves.targets(_TARGETS.value)
    return comparison.targets_of(_SCENARIOS.value)


def _ends(workdir: Path) -> tuple[int, float]:
    """Returns the env steps and the score at which a run that has begun ends by itself."""
    return operative.ends(Workdir(workdir).configuration())


def is_over(measured: Measured, workdir: Path) -> bool:
    """Returns whether nothing is left to do for a run, also not what follows its last env step."""
    _, stop_at_score = _ends(workdir)
    ends_by_itself = {ENV_STEPS} if stop_at_score == math.inf else {ENV_STEPS, REACHED}
    if measured.ended in ends_by_itself:
        return not has_more(workdir, RunLog(workdir))
    return measured.ended != UNFINISHED


def train(
    run: Run, workdir: Path, targets: Sequence[float], check_alike: Callable[[], None]
) -> None:
    """Trains until the run is over, perhaps as learning went out of bounds: see `divergence`.

    Raises:
      ConfigError: it is not like those that it is to be compared with.
      ChildError: the training refused its configuration, or failed in other ways than by learning.
    """
    log = RunLog(workdir)
    ends: tuple[int, float] | None = None
    training = Training(
        str(run),
        workdir,
        run.flags,
        _GIN_FILES.value,
        _GIN_BINDINGS.value,
    )

    def is_to_end() -> bool:
        nonlocal ends
        if not log.read():
            return False
        if ends is None:  # it has begun, so that there is its configuration
            check_alike()
            ends = _ends(workdir)
        total_env_steps, stop_at_score = ends
        if log.env_steps >= total_env_steps:  # it has yet to learn from the last of them
            return False
        if log.minutes >= _MINUTES.value:
            return True
        ends_by_itself = stop_at_score < math.inf
        why = measurements.why_over(log, _MINUTES.value, targets)
        return not ends_by_itself and why == REACHED

    try:
        together([lambda _: training.steps(is_to_end)])
    except ChildError as error:
        if error.code != errors.DivergenceError.code:
            raise


def _check(new: Sequence[Run], is_first: bool, has_targets: bool) -> None:
    """Finds out what cannot be trained before anything is, not when its turn comes.

    Args:
      new: the runs that have yet to begin.
      is_first: whether none goes on before the first of them.
      has_targets: whether runs end by their scores.

    Raises:
      ConfigError: one of them could not be trained.
    """
    firsts: dict[tuple[str, str], Run] = {}
    for run in new:
        firsts.setdefault((run.scenario, run.method), run)
    if len(firsts) < 2 and is_first and not has_targets:  # its training says it at once
        return
    tried = [
        candidates.Candidate(*pair, _GIN_FILES.value, _GIN_BINDINGS.value, needs_score=has_targets)
        for pair in firsts
    ]
    checked = parallel.each(candidates.begin, tried, processes=1)
    for run in firsts.values():
        try:
            next(checked)
        except errors.ConfigError as error:
            raise errors.ConfigError(f"{run}: {error}") from error


def compare() -> None:
    """Makes all runs that are yet to be made.

    Raises:
      ConfigError: a flag cannot be used.
      ChildError: a training refused its configuration, or failed.
    """
    runs = comparison.grid(_SCENARIOS.value, _METHODS.value, _SEEDS.value)
    targets = _targets()
    directory = Path(_OUTPUT.value)
    new = [run for run in runs if not Workdir(directory / str(run)).config.exists()]
    _check(new, is_first=new[:1] == runs[:1], has_targets=bool(targets))
    comparison.claim(directory, _GIN_FILES.value, _GIN_BINDINGS.value)
    check_alike = functools.partial(comparison.check_alike, [(directory, run) for run in runs])
    check_alike()
    results = {run: measure(directory / str(run), targets) for run in runs}
    for number, run in enumerate(runs, 1):
        workdir, is_alike = directory / str(run), True
        try:
            if results[run] is None or not is_over(results[run], workdir):
                train(run, workdir, targets, check_alike)
                check_alike()  # it may have been over before it was looked at
        except errors.ConfigError:
            is_alike = False
            raise
        finally:
            results[run] = measure(workdir, targets) if is_alike else None
            begun = {run: measured for run, measured in results.items() if measured}
            if begun:  # else there may be tables of older runs, and nothing to put in their place
                measurements.write(directory, begun)
        if results[run] is None:
            raise nothing_left(str(run), workdir)
        if how := divergence(workdir):
            terminal.warn(how)
        minutes = results[run].seconds / 60
        if minutes > 1.1 * _MINUTES.value + 1:
            longer = f"{minutes:.1f} minutes, longer than --minutes={_MINUTES.value:g}"
            terminal.warn(f"{run} has gone on for {longer}")
        terminal.say(f"{number} of {len(runs)}, {run}: {measurements.line(results[run], targets)}")
    terminal.say(f"\nMedians over seeds:\n{measurements.table(results, targets)}")


if __name__ == "__main__":
    command.run(compare)
