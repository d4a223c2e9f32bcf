"""Policies in Python choose what they choose in evaluations, to the bit."""

import dataclasses

import keras
import numpy as np
import pytest

from hts_tf import errors, loading, specs
from hts_tf.collecting.policy import Policy
from hts_tf.files import archive, participants
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests import command_line
from tests.command_line import SMALL

pytestmark = pytest.mark.slow

# Plays two evaluation episodes at once, and one by itself; writes their actions.
PLAY = """
import sys
import numpy as np
import hts_tf

import keras
import tensorflow as tf
keras.config.set_epsilon(1e-5)
keras.config.set_floatx("float64")
policy = hts_tf.load(sys.argv[1])
assert (keras.config.epsilon(), keras.config.floatx()) == (1e-5, "float64")
tf.random.shuffle([1, 2])  # as Keras does in `fit`: determinism is not left behind

def begin(number):
    {begin}
    return environment, observation

def play(numbers, batched):
    games = [begin(number) for number in numbers]
    actions = [b""] * len(games)
    state = policy.initial_state(numbers if batched else numbers[0], seed=7)
    over = [False] * len(games)
    while not all(over):
        shown = [np.copy(observation) if not isinstance(observation, dict) else observation
                 for _, observation in games]
        chosen, state = policy.act(shown if batched else shown[0], state)
        for i, action in enumerate(chosen if batched else [chosen]):
            if over[i]:
                continue
            environment, observation = games[i]
            actions[i] += np.asarray(action, policy.environment.spec.action.dtype).tobytes()
            {step}
    return actions

together = play([0, 1], batched=True)
assert play([1], batched=False) == together[1:]
from pathlib import Path
for number, record in enumerate(policy.evaluate(2, seed=7)):
    Path(sys.argv[2], str(number)).write_bytes(together[number])
    Path(sys.argv[2], f"evaluated_{number}").write_bytes(record.actions)
"""
OURS = {
    "begin": """environment = policy.environment.make()
    observation = policy.environment.spec.new_observation()
    environment.reset(policy.episode_seed(number, seed=7), observation)""",
    "step": "over[i] = environment.step(action, observation).is_over",
}
GYMNASIUM = {
    "begin": """environment = {make}
    observation, _ = environment.reset(seed=policy.episode_seed(number, seed=7))""",
    "step": """observation, _, terminated, truncated, _ = environment.step(action)
            games[i], over[i] = (environment, observation), terminated or truncated""",
}


def gymnasium(make):
    return {**GYMNASIUM, "begin": GYMNASIUM["begin"].format(make=make)}


GAMES = {
    "recall": (["--scenario=recall"], OURS),
    "two players": (
        [
            "--scenario=academy_3_vs_1_with_keeper",
            *command_line.FOOTBALL_PLAYERS,
            "--gin_bindings=Football.left_players = 2",
        ],
        OURS,
    ),
    "CartPole": (
        ["--scenario=CartPole-v1"],
        gymnasium("__import__('gymnasium').make('CartPole-v1')"),
    ),
    "HalfCheetah": (
        ["--scenario=HalfCheetah-v5", "--gin_bindings=Gymnasium.max_episode_steps = 13"],
        gymnasium("__import__('gymnasium').make('HalfCheetah-v5', max_episode_steps=13)"),
    ),
    "HalfCheetah by tanh": (
        [
            "--scenario=HalfCheetah-v5",
            "--gin_bindings=Gymnasium.max_episode_steps = 13",
            "--gin_bindings=Gymnasium.bounded_by = 'tanh'",
        ],
        gymnasium("__import__('gymnasium').make('HalfCheetah-v5', max_episode_steps=13)"),
    ),
    "images of football": (
        [
            "--scenario=academy_empty_goal_close",
            *command_line.SMALL_CNN_FLAGS,
        ],
        gymnasium(
            "__import__('hts_tf.football') and __import__('gymnasium')"
            ".make('hts_tf/academy_empty_goal_close-v0')"
        ),
    ),
}


@pytest.mark.parametrize("game", GAMES)
def test_it_plays_as_in_evaluations(game, tmp_path):
    flags, how = GAMES[game]
    workdir = tmp_path / "run"
    code, _, errors = command_line.run("hts_tf.train", f"--workdir={workdir}", *flags, *SMALL)
    assert code == 0, errors
    csv = tmp_path / "evaluation.csv"
    evaluate = [f"--workdir={workdir}", "--episodes=2", "--seed=7", f"--output={csv}"]
    code, _, errors = command_line.run("hts_tf.evaluate", *evaluate, "--video=false")
    assert code == 0, errors
    script = PLAY.replace("{begin}", how["begin"]).replace("{step}", how["step"])
    code, _, errors = command_line.run("tests.program", script, workdir, tmp_path)
    assert code == 0, errors
    for number, record in enumerate(archive.read(csv.with_suffix(".bin"))):
        expected = record.actions
        assert (tmp_path / f"evaluated_{number}").read_bytes() == expected
        if game.startswith("HalfCheetah"):  # as they are played; kept is what was drawn
            way = "tanh" if game.endswith("tanh") else "clip"
            spec = specs.BoxSpec((6,), low=(-1.0,) * 6, high=(1.0,) * 6, bounded_by=way)
            expected = spec.bounded(np.frombuffer(expected, np.float32).reshape(-1, 6)).tobytes()
        assert (tmp_path / str(number)).read_bytes() == expected


def test_a_name_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(errors.ConfigError, match=f"^{tmp_path / 'run'} holds no run"):
        loading.load("~/run")


def test_what_cannot_be_loaded_or_observed(tmp_path):
    code = """
import sys, numpy as np, hts_tf
from hts_tf import errors
for name in ("nowhere", sys.argv[1] + "@77"):
    try:
        hts_tf.load(name)
    except errors.ConfigError as error:
        print(error)
policy = hts_tf.load(sys.argv[1])
for observation in (np.zeros(3, np.uint8), np.zeros(5, np.uint8), np.zeros(4, complex)):
    try:
        policy.act(observation, policy.initial_state())
    except errors.ConfigError as error:
        print(error)
print(policy.act(np.ones(4, np.uint8), policy.initial_state(), deterministic=True)[0])
"""
    train = [f"--workdir={tmp_path}", "--scenario=synthetic", *SMALL]
    assert command_line.run("hts_tf.train", *train)[0] == 0
    exit_code, printed, errors = command_line.run("tests.program", code, tmp_path)
    assert exit_code == 0, (printed, errors)
    assert len(printed.splitlines()) == 6, printed
    nowhere, no_snapshot, short, long, numbers, action = printed.splitlines()
    assert "nowhere" in nowhere
    assert "77" in no_snapshot
    assert "an observation must be of ArraySpec(shape=(4,), dtype='float32'" in short
    assert "its shape is (1, 3), of 1 players" in short
    assert "(1, 5)" in long
    assert "complex" in numbers
    assert action in "0123"


@dataclasses.dataclass(frozen=True)
class Steering:
    """A game whose most probable actions tell how precisely they were computed."""

    spec = specs.EnvironmentSpec(
        specs.ArraySpec((3,), "float32"), specs.ArraySpec((2,), "float32"), max_episode_steps=5
    )


@pytest.mark.usefixtures("op_determinism")
def test_a_policy_computes_as_precisely_as_its_run_and_models_of_the_callers_as_before(monkeypatch):
    observation = np.array([0.1, -0.7, 0.4], np.float32)

    def load(precision):
        def found(name, *_):
            keras.mixed_precision.set_dtype_policy(precision)
            agent = ActorCritic(Steering.spec, 0, torsos.mlp)
            return participants.Participant(name, Steering(), agent, None)

        monkeypatch.setattr(participants, "load", found)
        policy = loading.load("run")
        assert keras.layers.Dense(2).compute_dtype == "float32"
        return policy.act(observation, policy.initial_state(), deterministic=True)[0]

    exact, coarse = load("float32"), load("mixed_bfloat16")
    assert not np.allclose(coarse, exact, rtol=1e-4, atol=0.0)
    np.testing.assert_allclose(coarse, exact, rtol=0.1)


@dataclasses.dataclass(frozen=True)
class Throttle:
    """A game whose action is one number, which executors bound as Python's own."""

    spec = specs.EnvironmentSpec(
        specs.ArraySpec((3,), "float32"),
        specs.BoxSpec((), low=(-0.3,), high=(0.7,), bounded_by="tanh"),
        max_episode_steps=5,
    )


@pytest.mark.usefixtures("op_determinism")
def test_a_number_is_bounded_as_executors_do(monkeypatch):
    action = Throttle.spec.action
    agent = ActorCritic(Throttle.spec, 0, torsos.mlp)
    found = participants.Participant("run", Throttle(), agent, None)
    monkeypatch.setattr(participants, "load", lambda *_: found)
    policy = loading.load("run")
    observations = np.random.default_rng(0).normal(0.0, 30.0, (20, 3)).astype(np.float32)
    state = policy.initial_state(range(20))
    played, _ = policy.act(list(observations), state, deterministic=True)
    rows = observations, np.zeros((20, *agent.noise.shape), np.float32)
    chosen = Policy(agent, 20).act(*rows).action
    assert played == [action.bounded(specs.plain(number)) for number in chosen]
    assert (action.bounded(chosen) != played).any()  # the last bits of some
