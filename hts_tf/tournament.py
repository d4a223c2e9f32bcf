"""Command line: everyone plays everyone, on both sides; a table, and ratings with intervals.

  .venv/bin/python -m hts_tf.tournament --workdirs=runs/a,runs/b@400 --output=runs/tournament

A participant is the newest checkpoint of a workdir, or with `@UPDATES` a snapshot of it
(`Trainer.opponents` takes some). Written are a table of matches and one of ratings, as CSV, and a
picture.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import config, errors, evaluator, learner, settings  # noqa: F401  gin configurables
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.environments.football.football import Football
from hts_tf.files.policies import Snapshots
from hts_tf.files.workdir import Workdir
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.opponents import ratings
from hts_tf.system import command, compute, whole

_WORKDIRS = flags.DEFINE_list("workdirs", None, "of the participants, see above", required=True)
_EPISODES = flags.DEFINE_integer("episodes", 20, "of each two, on each side", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "selects the episodes", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", "tournament", "path of the files, without their endings")
_SCENARIO = flags.DEFINE_string("scenario", None, "of football; default: the first participant's")

_MODULES = flags.DEFINE_list(config.MODULES_FLAG, [], "see hts_tf.evaluate")

_PARALLEL = 16  # environments at once
_NAME = re.compile(r"(?P<workdir>.+?)(?:@(?P<updates>\d+))?")


class Match(NamedTuple):
    """What two have played, the first on the left.

    Attributes:
      left: its number among the participants.
      right: the same of the other.
      wins: of the left one.
      draws: of both.
      losses: of the left one.
      goals: score of the left one, added up: goals for it minus goals against.
    """

    left: int
    right: int
    wins: int
    draws: int
    losses: int
    goals: float


def points(matches: Sequence[Match], count: int) -> np.ndarray:
    """Returns what each has scored against each, [count, count]: 1 for a win, 0.5 for a draw."""
    table = np.zeros((count, count))
    for match in matches:
        table[match.left, match.right] += match.wins + 0.5 * match.draws
        table[match.right, match.left] += match.losses + 0.5 * match.draws
    return table


def environment_of(workdir: Workdir, scenario: str | None) -> base.EnvironmentConfig:
    """Returns a run's environment, both sides of which have as many players.

    Raises:
      ConfigError: it has no other side.
    """
    environment = config.environment()
    if isinstance(environment, Football):
        left = environment.left_players
        environment = dataclasses.replace(
            environment, right_players=left, scenario=scenario or environment.scenario
        )
    elif scenario:
        raise errors.ConfigError(f"--scenario is of football, which {workdir.path} is not")
    spec = environment.spec
    if 2 * spec.num_rivals != spec.num_players:
        raise errors.ConfigError(
            f"{workdir.path}: its environment has {spec.num_players - spec.num_rivals} players on "
            f"one side and {spec.num_rivals} on the other, and no match has two such sides"
        )
    return environment


def play() -> None:
    """Plays all matches, writes and prints what came of them.

    Raises:
      ConfigError: a participant cannot play, or not with the others.
    """
    names = _WORKDIRS.value
    if len(set(names)) < max(2, len(names)):
        raise errors.ConfigError("--workdirs must name two participants or more, each once")
    compute.configure()
    environment, policies = _participants(names)
    matches = []
    for left, right in itertools.permutations(range(len(names)), 2):
        records = evaluator.evaluate(
            environment,
            policies[left],
            _EPISODES.value,
            _SEED.value,  # both sides, and all pairs, play the same episodes
            _PARALLEL,
            rivals=policies[right],
        )
        scores = np.array([record.score for record in records])
        outcome = [int((np.sign(scores) == sign).sum()) for sign in (1, 0, -1)]
        matches.append(Match(left, right, *outcome, float(scores.sum())))
        print(
            f"{names[left]} : {names[right]}  {outcome[0]} wins, {outcome[1]} draws, "
            f"{outcome[2]} losses, goals {scores.sum():+.0f}",
            flush=True,
        )
    _report(names, matches)


def _participants(names: Sequence[str]) -> tuple[base.EnvironmentConfig, list[Policy]]:
    environment = None
    policies = []
    for name in names:
        parts = _NAME.fullmatch(name)
        workdir = Workdir(parts["workdir"])
        config.load_text(workdir.configuration(), workdir.config, _MODULES.value)
        own = environment_of(workdir, _SCENARIO.value)
        if environment is None:
            environment = own
        elif own.spec != environment.spec:
            raise errors.ConfigError(
                f"{name} observes, acts or plays otherwise than {names[0]}: they cannot meet"
            )
        agent = ActorCritic(own.spec, seed=0)
        if parts["updates"]:
            Snapshots(workdir.path).load(int(parts["updates"]), agent)
        else:
            state = workdir.newest()
            if state is None:
                raise errors.ConfigError(f"{name} holds no checkpoint yet")
            learner.assign(agent.variables, state)
        policies.append(Policy(agent, _PARALLEL * own.spec.num_players))
    return environment, policies


def _report(names: Sequence[str], matches: Sequence[Match]) -> None:
    table = points(matches, len(names))
    found = ratings.bradley_terry(table)
    goals = np.zeros(len(names))
    for match in matches:
        goals[match.left] += match.goals
        goals[match.right] -= match.goals
    output = Path(_OUTPUT.value)
    order = np.argsort(-found.rating, kind="stable")
    played = (table + table.T).sum(axis=1)
    columns = ("participant", "rating", "low", "high", "points", "matches", "goals")
    rows = [
        (
            names[n],
            *(f"{array[n]:.1f}" for array in found),
            f"{table[n].sum():g}",
            f"{played[n]:g}",
            f"{goals[n]:g}",
        )
        for n in order
    ]
    with whole.refusing("--output"):
        output.parent.mkdir(parents=True, exist_ok=True)
        whole.write_csv(output.with_suffix(".csv"), columns, rows)
        whole.write_csv(
            output.with_name(f"{output.name}_matches.csv"),
            Match._fields,
            [(names[m.left], names[m.right], *m[2:]) for m in matches],
        )
        _draw([names[n] for n in order], [array[order] for array in found], output)
    print(f"\n{'rating':>8}{'95 % interval':>20}{'points':>10}{'goals':>8}")
    for name, rating, low, high, scored, count, goal in rows:
        print(
            f"{float(rating):8.0f}{f'{float(low):.0f} to {float(high):.0f}':>20}"
            f"{f'{scored} / {count}':>12}{goal:>8}  {name}"
        )


def _draw(names: Sequence[str], found: Sequence[np.ndarray], output: Path) -> None:
    from matplotlib import pyplot as plt

    from hts_tf.watching import picture

    rating, low, high = found
    figure, axis = plt.subplots(figsize=(8, 1 + 0.4 * len(names)), layout="constrained")
    places = np.arange(len(names))[::-1]
    axis.errorbar(rating, places, xerr=(rating - low, high - rating), fmt="o", capsize=3)
    axis.set_yticks(places, names)
    axis.set_xlabel("rating (Elo points, Bradley-Terry, 95 % interval)")
    axis.grid(axis="x", alpha=0.3)
    picture.write(output.with_suffix(".png"), figure, dpi=120)


def main() -> None:
    """Entry point."""
    command.run(play)


if __name__ == "__main__":
    main()
