"""Command line: trains a league, one run after the other.

  .venv/bin/python -m hts_tf.league --scenario=5_vs_5 --generations=3 --output=runs/league
  --method=hts_ppo_fast --gin_files=gin_configs/football_players.gin
  --gin_bindings="Football.right_players = 'all'"

Each generation has a main agent and, but for the last, an exploiter (Vinyals et al. 2019,
AlphaStar). The main agent goes on from the one before, and plays itself, its own snapshots, and
all main agents and exploiters of the generations before, harder ones more often. An exploiter
begins as its generation's main agent and plays only that, to find where it is weak. Each is a run
of `hts_tf.train` in a directory of its own, with all that such runs have; the same command goes on
where it was interrupted. `hts_tf.tournament` rates them.
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from hts_tf import comparison, config, errors, operative
from hts_tf.files.workdir import BY_OBSERVER, Workdir
from hts_tf.opponents.members import ALL_MEET, members
from hts_tf.system import command, terminal
from hts_tf.trainings import Training, together

_SCENARIO = flags.DEFINE_string("scenario", None, "scenario as of hts_tf.train", required=True)
_METHOD = flags.DEFINE_string("method", "hts_ppo", "method as of hts_tf.train")
_SEED = flags.DEFINE_integer("seed", 0, "random seed of all runs", lower_bound=0)
_GIN_FILES = flags.DEFINE_multi_string(
    "gin_files", [], "gin files with further settings, for all runs"
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings",
    [],
    "further settings, for all runs; not what makes a member: whom it meets (Opponents.frozen), "
    "who it begins as (Trainer.start_from, after main-1), and that exploiters play nobody else. "
    "Opponents.weighting, here @prioritised, can be bound in these alone, not in files",
)
_GENERATIONS = flags.DEFINE_integer(
    "generations", 3, "number of generations: main agents", lower_bound=2
)
_OUTPUT = flags.DEFINE_string("output", None, "directory of the runs", required=True)


def play() -> None:
    """Makes all runs that are yet to be made.

    Raises:
      ConfigError: a flag cannot be used.
      ChildError: a training refused its configuration, or failed.
    """
    directory = _as_it_was_called(Path(_OUTPUT.value))
    flags_ = comparison.Run(_METHOD.value, _SCENARIO.value, _SEED.value).flags
    comparison.claim(directory, _GIN_FILES.value, _GIN_BINDINGS.value, flags_)
    for member in members(_GENERATIONS.value):
        terminal.say(f"{member.name}: see {directory / member.name / 'log.txt'}")
        if Workdir(directory / member.name).ending() == BY_OBSERVER:  # else it would go on
            continue
        training = Training(
            member.name,
            directory / member.name,
            flags_,
            _GIN_FILES.value,
            # Last, what a member is: of the user's, so that an exploiter exploits.
            [*ALL_MEET, *_GIN_BINDINGS.value, *member.bindings(directory)],
        )
        together([lambda _, training=training: training.steps()])
    terminal.say(f"to rate them: {_tournament(directory)}")


def _tournament(directory: Path) -> str:
    """Returns the command that rates the members."""
    runs = [Workdir(directory / member.name) for member in members(_GENERATIONS.value)]
    bound = operative.bindings(runs[0].configuration())
    return shlex.join(
        [
            *(sys.executable, "-m", "hts_tf.tournament"),
            f"--workdirs={flags.CsvListSerializer(',').serialize([run.path for run in runs])}",
            *config.modules_flags(bound.get(operative.IMPORTS, ())),
            f"--output={directory / 'tournament'}",
        ]
    )


def _as_it_was_called(directory: Path) -> Path:
    """Returns a league's directory by the name that its runs remember, as part of what they are.

    Raises:
      ConfigError: from here, that is no name of it.
    """
    for member in members(_GENERATIONS.value):
        run = Workdir(directory / member.name)
        if not run.config.exists():
            continue
        met = operative.bindings(run.configuration()).get("Opponents.frozen")
        if met:
            known = Path(met[0]).parent
            if known.resolve() != directory.resolve():
                raise errors.ConfigError(
                    f"--output={directory}: this league was begun as --output={known}, which is "
                    "something else from here: go on from where you began"
                )
            return known
    return directory


if __name__ == "__main__":
    command.run(play)
