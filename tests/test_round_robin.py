import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace

import gin
import keras
import numpy as np
import pytest

from hts_tf import config, errors, round_robin, specs
from hts_tf.collecting.policy import Batching, Policy
from hts_tf.environments import base
from hts_tf.environments.football.football import Football
from hts_tf.environments.synthetic import Synthetic
from hts_tf.files import policies, scope
from hts_tf.files.workdir import Workdir
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.round_robin import Entrant, RoundRobin
from tests.guessing import Guessing

EMPTY_GOAL = Football(
    "academy_empty_goal_close",
    representation="simple115v2",
    frames=1,
    left_players=1,
    right_players=1,
)


class Constant:
    """Plays one action; takes the place of a `Learnt`."""

    def __init__(self, action):
        self._action = action

    def policy(self, environment):
        agent = ActorCritic(environment.spec, 0, torsos.mlp)
        for variable in agent.variables:
            variable.assign(np.zeros(variable.shape))
        [bias] = [v for v in agent.variables if v.shape == (environment.spec.action.num_values,)]
        bias.assign(100.0 * np.eye(environment.spec.action.num_values)[self._action])
        return Policy(agent, 32)


def tournament(*players, environment=EMPTY_GOAL, episodes=4):
    participants = [Entrant(str(player), player) for player in players]
    return RoundRobin(environment, participants, episodes, seed=0)


def test_everyone_meets_everyone_but_ais_each_other():
    found = tournament(Constant(0), Constant(5), 0.05, 0.95)
    policies, ais = {0, 1}, {2, 3}
    everyone = {(a, b) for a in range(4) for b in range(4) if a != b}
    assert set(found.pairs) == everyone - {(a, b) for a in ais for b in ais}
    assert len(found.pairs) == len(set(found.pairs)) == 10
    assert found.anchor == 2
    assert tournament(*(Constant(0) for _ in policies)).anchor is None


@pytest.mark.slow
def test_on_football_goals_are_those_of_who_made_them(op_determinism):
    """Before an empty goal, whoever is on the left scores."""
    runs_to_the_right = Constant(5)
    for match in tournament(runs_to_the_right, 1.0, runs_to_the_right).play(processes=1):
        assert match.wins > 0
        assert match.goals_for == match.wins
        assert match.losses == match.goals_against == 0


@dataclasses.dataclass(frozen=True)
class Bidding:
    """Two sides of two players: who bids more scores the difference; an AI bids its difficulty.

    In a second env step bids count half as much, and for the other side.
    """

    left_players: int = 2
    right_players: int = 2
    left_difficulty: float = 0.0
    right_difficulty: float = 0.0

    @property
    def spec(self):
        return specs.EnvironmentSpec(
            specs.ArraySpec((2,), "float32"),
            specs.DiscreteSpec(num_values=19),
            max_episode_steps=2,
            num_players=self.left_players + self.right_players,
            num_rivals=self.right_players if self.left_players else 0,
        )

    def make(self):
        return _Auction(self)


class _Auction(base.Environment):
    def __init__(self, config):
        self._config = config

    def reset(self, seed, observation):
        self._steps = 0
        observation[...] = 0

    def step(self, action, observation):
        self._steps += 1
        observation[...] = self._steps
        config = self._config
        left, right = action[: config.left_players], action[config.left_players :]
        bids = [
            np.mean(side) if len(side) else difficulty
            for side, difficulty in (
                (left, config.left_difficulty),
                (right, config.right_difficulty),
            )
        ]
        gained = float(bids[0] - bids[1]) * (1.0 if self._steps == 1 else -0.5)
        scores = np.array([gained] * config.left_players + [-gained] * config.right_players)
        over = np.full(len(scores), self._steps == 2)
        return base.StepResult(scores, scores, over, np.zeros_like(over))

    def close(self):
        pass


def test_who_plays_on_which_side(op_determinism):
    """Bids of 3 and 1, and of two AIs, 0.5 and 0.75."""
    bids = [3.0, 1.0, 0.5, 0.75]
    found = tournament(Constant(3), Constant(1), 0.5, 0.75, environment=Bidding(), episodes=4)
    matches = list(found.play(processes=1))
    assert [(match.left, match.right) for match in matches] == found.pairs
    for match in matches:
        ahead = bids[match.left] - bids[match.right]
        gained, conceded = 4 * abs(ahead), 2 * abs(ahead)
        if ahead > 0:
            assert match[2:] == (4, 0, 0, gained, conceded)
        else:
            assert match[2:] == (0, 0, 4, conceded, gained)


def learnt(*bindings):
    """A policy with the weights that an agent begins with, by a configuration of its own."""
    parameters = SimpleNamespace(give=lambda agent: None)
    text = "\n".join(bindings)
    return round_robin.Learnt(Workdir(Path("run")), text, (), parameters, Batching.ANY_SIZE)


def values(policies):
    """What each finds observations worth."""
    seen = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    return [policy.act(seen, np.zeros((5, 19), np.float32)).value for policy in policies]


def test_each_plays_by_its_own_configuration(namesake, op_determinism):
    """Also by what its network asks gin only when it is called."""

    def factor(number=1.0):
        return number

    def scaled(spec, seeds):
        return [keras.layers.Lambda(lambda x: x * gin.get_configurable("factor")())]

    for target in (factor, scaled):
        namesake(target, "theirs")
    players = [learnt("ActorCritic.torso = @scaled", f"factor.number = {n}") for n in (2.0, 8.0)]
    two, eight = values([player.policy(Bidding()) for player in players])
    assert two.all()
    np.testing.assert_array_equal(4 * two, eight)


def test_each_plays_in_the_precision_of_its_run(clean_gin, op_determinism):
    bindings = [["Compute.precision = 'mixed_bfloat16'"], ["Compute.precision = 'float32'"], []]
    half, whole, default = values([learnt(*bound).policy(Bidding()) for bound in bindings])
    np.testing.assert_array_equal(whole, default)
    np.testing.assert_allclose(half, whole, rtol=0.1, atol=0.1)
    assert (half != whole).all()


@pytest.mark.parametrize(
    "difficulties", [["hard"], ["-0.1"], ["1.1"], ["nan"], ["0.5", "0.50"], [""]]
)
def test_what_is_no_difficulty_is_refused(difficulties):
    with pytest.raises(errors.ConfigError, match=r"--ai=.* difficulties from 0 to 1, each once"):
        round_robin._difficulties(difficulties)


def enter(monkeypatch, environments, **given):
    """Enters policies that fit their environments, by bindings of these."""

    def read(name, modules):
        return round_robin.Learnt(Workdir(Path(name)), environments[name], modules, None)

    monkeypatch.setattr(round_robin, "_read", read)
    ready = SimpleNamespace(batching=None)
    monkeypatch.setattr(round_robin.Learnt, "policy", lambda self, environment: ready)
    return round_robin.enter(list(environments), **given)


def football(scenario):
    return f"""
Trainer.environment = @Football()
Football.scenario = '{scenario}'
Football.right_players = 1
"""


def test_all_play_the_scenario_of_the_first(clean_gin, monkeypatch):
    """Their episodes may be of other lengths."""
    learnt = {name: football(name) for name in ("1_vs_1_easy", "academy_empty_goal_close")}
    environment, participants, _ = enter(monkeypatch, learnt)
    assert environment == Football("1_vs_1_easy", right_players=1)
    assert [participant.name for participant in participants] == list(learnt)


SYNTHETIC = "Trainer.environment = @Synthetic()"
FOR_TWO = EMPTY_GOAL.spec


@pytest.mark.parametrize(
    ("given", "flag"), [({"scenario": "5_vs_5"}, "scenario"), ({"ability": 0.0}, "difficulty")]
)
def test_what_is_no_football_has_neither_scenario_nor_abilities(
    clean_gin, monkeypatch, given, flag
):
    monkeypatch.setattr(Synthetic, "spec", FOR_TWO)
    with pytest.raises(errors.ConfigError, match=f"--{flag} is of football, which game is not"):
        enter(monkeypatch, {"game": SYNTHETIC, "other": SYNTHETIC}, **given)


def test_all_are_as_able_but_the_ai(clean_gin, monkeypatch):
    """However they were trained."""
    learnt = {
        "one": football("1_vs_1_easy"),
        "two": football("1_vs_1_easy") + "Football.right_difficulty = 0.4",
    }
    given = {"difficulties": ["0.05"], "ability": 1.0}
    environment, participants, _ = enter(monkeypatch, learnt, **given)
    assert environment == Football(
        "1_vs_1_easy", right_players=1, left_difficulty=1.0, right_difficulty=1.0
    )
    played = []
    monkeypatch.setattr(
        round_robin.evaluator, "play", lambda game, *_, **__: played.append(game) or []
    )
    policies = [object(), object(), participants[-1].plays]
    found = RoundRobin(environment, participants, episodes=1, seed=0)
    for pair in [(0, 1), (0, 2), (2, 1)]:
        found._match(pair, [policies[number] for number in pair])
    abilities = [(game.left_difficulty, game.right_difficulty) for game in played]
    assert abilities == [(1.0, 1.0), (1.0, 0.05), (0.05, 1.0)]


def test_other_games_do_not_meet_footballers(clean_gin, monkeypatch):
    monkeypatch.setattr(Synthetic, "spec", FOR_TWO)
    learnt = {"one": football("1_vs_1_easy"), "game": SYNTHETIC}
    with pytest.raises(errors.ConfigError, match="game observes, acts or plays otherwise than one"):
        enter(monkeypatch, learnt)


def test_of_several_tasks_it_is_the_last(clean_gin, tmp_path):
    bindings = [
        "Trainer.environment = @Tasks()",
        "Tasks.environments = (@ai/Football(), @Football())",
        "Football.left_players = 2",
        "Football.right_players = 2",
        "ai/Football.right_players = 0",
    ]
    config.load("5_vs_5", "hts_ppo", gin_bindings=bindings)
    found = round_robin.environment_of(Workdir(tmp_path), None)
    assert found == Football("5_vs_5", left_players=2, right_players=2)


def test_a_whole_team_is_whoever_can_be_controlled_in_the_scenario(clean_gin, tmp_path):
    config.load("5_vs_5", "hts_ppo", gin_bindings=["Football.left_players = 'all'"])
    found = round_robin.environment_of(Workdir(tmp_path), "11_vs_11_stochastic")
    assert found.players == (11, 11)


@dataclasses.dataclass(frozen=True)
class GuessingTo(Guessing):
    """Is over for who has guessed so often; which its spec does not say."""

    wins_at: int = 4


def test_games_of_users_own_that_differ_are_told_of(monkeypatch, capfd):
    games = {"a": GuessingTo(), "b": GuessingTo(wins_at=5), "c": GuessingTo()}
    learnt = round_robin.Learnt
    monkeypatch.setattr(round_robin, "_read", lambda name, _: learnt(Workdir(name), "", (), None))
    monkeypatch.setattr(round_robin.config, "load_text", lambda *_: None)
    monkeypatch.setattr(round_robin, "environment_of", lambda run, *_: games[run.path.name])
    monkeypatch.setattr(learnt, "policy", lambda *_: SimpleNamespace(batching=None))
    environment, *_ = round_robin.enter([*games], [])
    assert environment == games["a"]
    [said] = capfd.readouterr().err.splitlines()
    assert re.search(r"b has learnt in .*wins_at=5\), and plays in .*wins_at=4\) here", said)


def test_a_tournament_is_known_by_all_that_its_matches_depend_on(monkeypatch):
    weights = {"variable/0": np.zeros(3, np.float32)}
    learnt = round_robin.Learnt(
        Workdir(Path("run")), "", (), policies.Parameters(4, None, weights, "run"), Batching.ALONE
    )
    cup = RoundRobin(EMPTY_GOAL, [Entrant("run", learnt), Entrant("AI 1", 1.0)], 4, seed=0)
    known = cup.digest()
    assert cup.digest() == known
    trained_on = learnt._replace(
        parameters=learnt.parameters._replace(arrays={"variable/0": np.ones(3, np.float32)})
    )
    others = [
        dataclasses.replace(cup, seed=1),
        dataclasses.replace(cup, episodes=5),
        dataclasses.replace(cup, environment=Synthetic()),
        dataclasses.replace(cup, bindings="Pointer.bonus = 0.01"),
        dataclasses.replace(cup, participants=cup.participants[::-1]),
        dataclasses.replace(cup, participants=[Entrant("run", trained_on), cup.participants[1]]),
    ]
    digests = {other.digest() for other in others}
    for part in ("source_hash", "simulators"):  # another version, of ours or of a simulator
        with monkeypatch.context() as changed:
            changed.setattr(scope, part, lambda: {"another": "version"})
            digests.add(cup.digest())
    assert len({known, *digests}) == len(others) + 3
