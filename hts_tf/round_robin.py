"""Everyone against everyone, on both sides: who takes part, and what they play.

Participants are policies, and gfootball's AI at some difficulties. An AI plays in the place of a
whole team: of that team nobody is controlled. Two AIs do not meet, but all policies meet all of
them, and so ratings connect everyone.
"""

import dataclasses
import functools
import hashlib
import itertools
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import hts_tf.system.quiet_tensorflow  # noqa: F401  before all that imports TensorFlow
from hts_tf import (
    bindings,
    config,
    errors,
    evaluator,
    gin_errors,
    run_scope,
    settings,  # noqa: F401  configurables
)
from hts_tf.collecting.policy import Batching, Policy
from hts_tf.environments import base
from hts_tf.environments.football import ai
from hts_tf.environments.football.football import Football
from hts_tf.environments.pettingzoos.pettingzoo import PettingZoo
from hts_tf.environments.tasks import Tasks
from hts_tf.files import policies, scope
from hts_tf.files.workdir import Workdir
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.opponents import results
from hts_tf.standings import Match
from hts_tf.system import compute, parallel, terminal


class Learnt(NamedTuple):
    """A policy, as files have it; it can be pickled.

    Attributes:
      workdir: of its run.
      configuration: of its run.
      modules: of the user's that the configuration may import.
      parameters: of its agent.
      batching: how it may be put into batches here.
    """

    workdir: Workdir
    configuration: str
    modules: Sequence[str]
    parameters: policies.Parameters
    batching: Batching | None = None

    def policy(self, environment: base.EnvironmentConfig) -> Policy:
        """Returns it, ready to play. Raises: ConfigError: the parameters are of another network."""
        config.load_text(self.configuration, self.workdir.config, self.modules)
        compute.use_precision()
        agent = ActorCritic(environment.spec, seed=0)
        self.parameters.give(agent)
        return Policy(agent, evaluator.PARALLEL * environment.spec.num_players, self.batching)


class Entrant(NamedTuple):
    """Who takes part.

    Attributes:
      name: of it.
      plays: a policy, or the difficulty of gfootball's AI.
    """

    name: str
    plays: Learnt | float

    @property
    def is_ai(self) -> bool:
        """Whether it is gfootball's."""
        return isinstance(self.plays, float)


@dataclasses.dataclass(frozen=True)
class RoundRobin:
    """What is played; it can be pickled.

    Attributes:
      environment: of two sides.
      participants: those who play.
      episodes: that each two play on each side.
      seed: selects them; all pairs play the same ones.
      bindings: of gin, for what the environment makes, see `bindings.dump`.
    """

    environment: base.EnvironmentConfig
    participants: Sequence[Entrant]
    episodes: int
    seed: int
    bindings: str = ""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Who meets: numbers of participants, who plays on the left first."""
        is_ai = [participant.is_ai for participant in self.participants]
        everyone = itertools.permutations(range(len(is_ai)), 2)
        return [(left, right) for left, right in everyone if not (is_ai[left] and is_ai[right])]

    @property
    def anchor(self) -> int | None:
        """The number of the first AI, whose rating is 0; None without one."""
        return next((n for n, p in enumerate(self.participants) if p.is_ai), None)

    def digest(self) -> str:
        """Returns what all that matches depend on is known by: 16 digits."""
        where = {name: text for name, text in scope.describe().items() if name != "commit"}
        said = [self.bindings, self.episodes, self.seed, where]
        digest = hashlib.sha256(pickle.dumps(self.environment))
        for name, plays in self.participants:
            said.append(name)
            if isinstance(plays, Learnt):
                played = run_scope.played(plays.configuration)
                said += [plays.configuration, played, plays.batching]
                for array in plays.parameters.arrays.values():
                    digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr(said).encode())
        return digest.hexdigest()[:16]

    def play(self, processes: int, begin: int = 0) -> Iterator[Match]:
        """Yields all matches, in the order of `pairs`.

        Args:
          processes: that play at the same time; no influence on results.
          begin: number of the first pair that is to play.

        Raises:
          ProtocolError: an environment broke a rule.
        """
        if processes == 1:
            return map(self._players(), self.pairs[begin:])
        return parallel.each(functools.partial(_in_process, self), self.pairs[begin:], processes)

    def _players(self) -> Callable[[tuple[int, int]], Match]:
        """Builds all policies; returns what plays the match of a pair."""
        players = [
            p.plays if p.is_ai else p.plays.policy(self.environment) for p in self.participants
        ]
        bindings.restore(self.bindings)
        return lambda pair: self._match(pair, [players[number] for number in pair])

    def _match(self, pair: tuple[int, int], players: Sequence[Policy | float]) -> Match:
        left, right = players
        if isinstance(left, float):
            game = ai.on_the_left(self.environment, left)
            policy, rivals = right, None
        elif isinstance(right, float):
            game = ai.on_the_right(self.environment, right)
            policy, rivals = left, None
        else:
            game, policy, rivals = self.environment, left, right
        played = evaluator.play(
            game, policy, self.episodes, self.seed, evaluator.PARALLEL, rivals=rivals
        )
        outcomes = [results.outcome(episode.record.score) for episode in played]
        outcome = [outcomes.count(which) for which in (results.WIN, results.DRAW, results.LOSS)]
        goals = [sum(e.gained for e in played), sum(e.conceded for e in played)]
        if policy is right:  # all of that was counted for the right side
            outcome.reverse()
            goals.reverse()
        return Match(*pair, *outcome, *goals)


def configure() -> None:
    """Sets TensorFlow up, alike in all processes: more play at once, with a thread each."""
    compute.configure(intra_op_threads=1)


def _in_process(tournament: RoundRobin) -> Callable[[tuple[int, int]], Match]:
    configure()
    return tournament._players()


def enter(
    names: Sequence[str],
    difficulties: Sequence[str] = (),
    scenario: str | None = None,
    modules: Sequence[str] = (),
    ability: float | None = None,
) -> tuple[base.EnvironmentConfig, list[Entrant], str]:
    """Finds out who takes part, and in what.

    Args:
      names: of policies, see `files.policies`.
      difficulties: of gfootball's AI, each a participant.
      scenario: of football; None for that of the first run, whatever the others have learnt.
      modules: of the user's, that the runs' configurations may import.
      ability: of both teams of football, 0 to 1, but for gfootball's AI; None for that of the
        scenario.

    Returns:
      The environment that is played, the participants, policies first, and what is bound for the
      environment, see `RoundRobin`.

    Raises:
      ConfigError: one cannot play, or not with the others.
    """
    runs = {str(Path(name)) for name in names}
    if len(runs) < len(names) or not names or len(names) + len(difficulties) < 2:
        raise errors.ConfigError(
            "--workdirs must name two participants or more, each once; one will do beside an --ai"
        )
    abilities = _difficulties(difficulties)
    environment, participants = None, []
    for name in names:
        learnt = _read(name, modules)
        config.load_text(learnt.configuration, learnt.workdir.config, modules)
        own = environment_of(learnt.workdir, scenario, ability)
        if environment is None:
            environment, bound = own, bindings.dump()
            if isinstance(own, Football):
                scenario = own.scenario
            elif scenario or ability is not None:
                flag = "scenario" if scenario else "difficulty"
                raise errors.ConfigError(f"--{flag} is of football, which {name} is not")
        elif (type(own), own.spec) != (type(environment), environment.spec):
            raise errors.ConfigError(
                f"{name} observes, acts or plays otherwise than {names[0]}: they cannot meet",
                page="comparing.md#tournaments",
            )
        elif (its := _rules(own)) != (rules := _rules(environment)):
            raise errors.ConfigError(
                f"{name} plays by other rules than {names[0]} ({its}, {rules}): they cannot meet",
                page="comparing.md#tournaments",
            )
        elif dataclasses.is_dataclass(own) and not rules and own != environment:
            terminal.warn(f"{name} has learnt in {own}, and plays in {environment} here")
        try:
            batching = learnt.policy(own).batching
        except errors.ConfigError as error:
            raise errors.ConfigError(f"{name}: {error}") from None
        participants.append(Entrant(name, learnt._replace(batching=batching)))
    if difficulties and not isinstance(environment, Football):
        raise errors.ConfigError(f"--ai is of football, which {names[0]} is not")
    everyone = [*participants, *(Entrant(ai.name(d), d) for d in abilities)]
    return environment, everyone, bound


def environment_of(
    workdir: Workdir, scenario: str | None, ability: float | None = None
) -> base.EnvironmentConfig:
    """Returns a run's environment, both sides of which have as many players in football.

    Of a team of whoever can be controlled, these are others in another scenario. Of several tasks
    it is the last.

    Args:
      workdir: of the run, whose configuration has been loaded.
      scenario: of football; None for the run's own. Other games have none.
      ability: of both teams of football, however the run was trained; None for the scenario's.

    Raises:
      ConfigError: it has no other side.
    """
    environment = config.environment()
    if isinstance(environment, Tasks):
        environment = environment.environments[-1]
    if isinstance(environment, Football):
        try:
            environment = dataclasses.replace(
                environment,
                right_players=environment.left_players,
                left_difficulty=ability,
                right_difficulty=ability,
                scenario=scenario or environment.scenario,
            )
        except errors.ConfigError as error:
            reason = gin_errors.own_words(error)
            raise errors.ConfigError(
                f"{workdir.path}: in a tournament both sides have as many players, and {reason}",
                page="comparing.md#tournaments",
            ) from None
    spec = environment.spec
    are_alike = 2 * spec.num_rivals == spec.num_players
    if not spec.num_rivals or (isinstance(environment, Football) and not are_alike):
        raise errors.ConfigError(
            f"{workdir.path}: its environment has {spec.num_own} players on "
            f"one side and {spec.num_rivals} on the other, and no match has two such sides",
            page="comparing.md#tournaments",
        )
    return environment


def _rules(environment: base.EnvironmentConfig) -> dict[str, Any]:
    """Returns the bindings that say what is played, and what whoever plays may do."""
    if isinstance(environment, Football):
        names = "shots_in_front", "first_time_shots"
        return {f"Football.{name}": getattr(environment, name) for name in names}
    if isinstance(environment, PettingZoo):
        return {
            "PettingZoo.module": environment.module,
            "PettingZoo.kwargs": environment.kwargs or {},
            "PettingZoo.rivals": list(environment.rivals),
        }
    return {}


def _read(name: str, modules: Sequence[str]) -> Learnt:
    """Reads a policy's files. Raises: ConfigError: it cannot."""
    workdir = policies.workdir(name)
    return Learnt(workdir, workdir.configuration(), modules, policies.read(name))


def _difficulties(texts: Sequence[str]) -> list[float]:
    """Returns the numbers. Raises: ConfigError: some are none, or not from 0 to 1, or twice."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        numbers = [-1.0]
    if len(set(numbers)) < len(numbers) or not all(0 <= number <= 1 for number in numbers):
        raise errors.ConfigError(
            f"--ai={','.join(texts)} must list difficulties from 0 to 1, each once"
        )
    return numbers
