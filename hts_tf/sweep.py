"""Command line: searches settings, by trials that learn from those before them.

  .venv/bin/python -m hts_tf.sweep --scenarios=academy_run_to_score_with_keeper \
    --search="PPO.entropy_cost = log(0.0005, 0.02)" --search="PPO.epochs = whole(1, 6)" \
    --trials=30 --output=runs/sweep

A trial trains on each scenario with each seed, one run after the other, in workdirs of its own. Its
value is the mean score over all env steps (see `sweeping.study.Study`); once five trials are
complete, what is worse than half of those at the same point ends there, after the first quarter of
its first run. All of that follows from bits, so the same command makes the same trials, however
often it is interrupted and wherever they run. With `--minutes`, values are over minutes instead,
which nobody can repeat, but which count what a setting costs.

Trials are drawn `--at_once`, from what came of all before; they run one after the other, or several
at a time (`--processes`), or each on a node of a Ray cluster (`--ray_address`), which does not
change them. Written are trials.csv, best.gin (for `--gin_files` of a training) and report.html.
"""

import contextlib
import functools
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import flags

from hts_tf import candidates, comparison, errors
from hts_tf.machines import distant_child, ray_cluster
from hts_tf.sweeping import making, record, space
from hts_tf.system import command, installation, parallel, terminal
from hts_tf.system.child import Child
from hts_tf.trainings import together

_SCENARIOS = flags.DEFINE_list(
    "scenarios",
    None,
    "scenarios of each trial, as of hts_tf.train, separated by commas",
    required=True,
)
_METHOD = flags.DEFINE_string("method", "hts_ppo", "method as of hts_tf.train")
_SEEDS = flags.DEFINE_list(
    "seeds", ["0"], "random seeds of each trial and scenario, separated by commas"
)
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "gin files with further settings, for all runs"
)
_GIN_BINDINGS = flags.DEFINE_multi_string("gin_bindings", [], "further settings, for all runs")
_SEARCH = flags.DEFINE_multi_string(
    "search", [], "a setting and its values, for example 'PPO.epochs = whole(1, 6)'"
)
_SPACE = flags.DEFINE_string("space", None, "file of lines as for --search")
_TRIALS = flags.DEFINE_integer(
    "trials", 20, "number of trials, at least; more may be added later", lower_bound=1
)
_AT_ONCE = flags.DEFINE_integer(
    "at_once", 1, "trials that are drawn before the first of them has ended", lower_bound=1
)
_DRAW = flags.DEFINE_integer(
    "draw",
    0,
    "random seed of the values that are drawn",
    lower_bound=0,
    upper_bound=2**32 - 1,  # Optuna's
)
_MINUTES = flags.DEFINE_float(
    "minutes",
    None,
    "minutes of a run; a trial's value is then over minutes instead of env steps",
    lower_bound=0.01,
    upper_bound=1_000_000,
)
_OUTPUT = flags.DEFINE_string("output", None, "directory of runs and results", required=True)
_PROCESSES = flags.DEFINE_integer(
    "processes", 1, "trials at the same time on this machine", lower_bound=1
)
_RAY_ADDRESS = flags.DEFINE_string(
    "ray_address",
    None,
    "address of a Ray cluster whose nodes share --output and the current directory: a trial at a "
    "time on each; default: RAY_ADDRESS",
)


def sweep() -> None:
    """Makes all trials that are yet to be made.

    Raises:
      ConfigError: a flag cannot be used, or no trial can be trained.
      ChildError: a training refused its configuration, or failed.
    """
    if _PROCESSES.value > _AT_ONCE.value:
        raise errors.ConfigError(
            f"--processes={_PROCESSES.value} needs --at_once={_PROCESSES.value} or more: so many "
            "trials have to be drawn before the first has ended"
        )
    if _PROCESSES.present and ray_cluster.address(_RAY_ADDRESS.value):
        raise errors.ConfigError(
            "--processes are on this machine: not with --ray_address, nor RAY_ADDRESS"
        )
    lines = [*_SEARCH.value, *_space_file()]
    searched = space.parse(lines)
    names = [parameter.name for parameter in searched]
    page, study = _page_and_study()
    plan = _plan(searched)
    identity = _identity(lines)
    record.claim(plan.directory, identity)
    drawn = study.Study(searched, len(plan.runs), _DRAW.value)
    outcomes: list[record.Outcome] = []
    made = record.made(plan.directory)  # of these, nothing is to be lost
    with _places() as places:
        while len(outcomes) < max(_TRIALS.value, made):
            batch = [drawn.ask() for _ in range(_AT_ONCE.value)]
            making.check(plan, batch)
            together([functools.partial(making.make, plan, trial) for trial in batch], places)
            for trial in batch:
                drawn.tell(trial)
                outcomes.append(making.outcome(plan, trial))
                terminal.say(outcomes[-1].line(names))
            if len(outcomes) < made:
                continue
            record.write(plan.directory, names, outcomes)
            made_by = shlex.join(["python", "-m", "hts_tf.sweep", *sys.argv[1:]])
            page.write(plan, names, outcomes, identity, made_by)
    best = record.best(outcomes)[0]
    if best.state == record.REFUSED:
        raise errors.ConfigError("none of these trials can be trained; why not, is said above")
    terminal.say(f"\nbest: {best.line(names)}\nsee {plan.directory}/report.html")


def _space_file() -> list[str]:
    if _SPACE.value is None:
        return []
    try:
        return Path(_SPACE.value).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigError(f"--space: {error}") from error


def _page_and_study() -> tuple[ModuleType, ModuleType]:
    """Imports what needs the extras. Raises: ConfigError: they are not installed."""
    with installation.needing("sweep", "a sweep"):
        from hts_tf.sweeping import page, study
    return page, study


def _plan(searched: Sequence[space.Parameter]) -> making.Plan:
    """Returns what is to be made. Raises: ConfigError: a flag, or what may be drawn, is no good."""
    runs = comparison.grid(_SCENARIOS.value, [_METHOD.value], _SEEDS.value)
    if not comparison.have_one_scale(run.scenario for run in runs):
        raise errors.ConfigError(
            "--scenarios: a trial is judged by its mean score, and scores of these are not on one "
            "scale: name one of them, or scenarios of football"
        )
    own = (_GIN_FILES.value, _GIN_BINDINGS.value)
    tried = [
        candidates.Candidate(scenario, _METHOD.value, *own, space.ends(searched), needs_score=True)
        for scenario in dict.fromkeys(run.scenario for run in runs)
    ]
    total_of = {}
    chosen: set[str] = set()  # differently, as environments do by what is searched of them
    found = parallel.each(candidates.begin, tried, processes=1)
    for candidate, checked in zip(tried, found, strict=True):
        totals = [one.env_steps for one in checked]
        each = [{*one.chosen} for one in checked]
        differ = set.union(*each) - set.intersection(*each)
        chosen |= {binding.partition(" = ")[0] for binding in differ}
        if len(set(totals)) > 1:
            raise errors.ConfigError(
                "Trainer.total_env_steps cannot be searched: runs are compared"
            )
        total_of[candidate.scenario] = totals[0]
    return making.Plan(
        Path(_OUTPUT.value),
        runs,
        [total_of[run.scenario] for run in runs],
        _MINUTES.value,
        *own,
        {*space.bindings(searched, comparison.common(*own)), *chosen},
    )


def _identity(lines: Sequence[str]) -> dict[str, Any]:
    """Returns what makes this sweep another than others. Raises: ConfigError: a file is missing."""
    return {
        "scenarios": _SCENARIOS.value,
        "method": _METHOD.value,
        "seeds": _SEEDS.value,
        "space": [line.strip() for line in lines if line.partition("#")[0].strip()],
        "gin files and bindings": comparison.common(_GIN_FILES.value, _GIN_BINDINGS.value),
        "at_once": _AT_ONCE.value,
        "draw": _DRAW.value,
        "minutes": _MINUTES.value,
    }


@contextlib.contextmanager
def _places() -> Iterator[list[Callable[..., Child]]]:
    """Yields what starts a training, once for each that may go on at the same time."""
    address = ray_cluster.address(_RAY_ADDRESS.value)
    if address:
        with ray_cluster.connected(address, 1) as ray:
            yield distant_child.on_nodes(ray)
    else:
        yield [Child] * _PROCESSES.value


if __name__ == "__main__":
    command.run(sweep)
