"""The configurable: what it refuses, and what it knows before executors exist."""

import dataclasses
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from gymnasium import spaces

from hts_tf import errors, presets, specs
from hts_tf.environments import base, checked
from hts_tf.environments.gymnasiums import registry
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium
from hts_tf.system import installation
from tests import command_line, refusals
from tests.environments.gymnasiums import tiny, wrapped_atari


def refusal(*args, **kwargs):
    """The message of the ConfigError, always one line, that comes before any run."""
    with pytest.raises(errors.ConfigError) as error:
        _ = Gymnasium(*args, **kwargs).spec
    message, *by_gin = str(error.value).splitlines()
    assert all("In call to configurable" in line for line in by_gin)
    assert len(message) < 800
    return message


def test_it_is_one_that_can_be_watched():
    assert isinstance(Gymnasium("CartPole-v1"), base.Watchable)


def discrete(number):
    return specs.DiscreteSpec(num_values=number)


CART = specs.ArraySpec((4,), "float32")
TAXI = {"observation": discrete(500), "action_mask": specs.ArraySpec((6,), "bool")}
PENDULUM = specs.BoxSpec((1,), low=(-2.0,), high=(2.0,), bounded_by="tanh")
CHEETAH = specs.BoxSpec((6,), low=(-1.0,) * 6, high=(1.0,) * 6)
SCREEN = specs.ArraySpec((210, 160, 3), "uint8", 1 / 255)
STACK = specs.ArraySpec((84, 84, 4), "uint8", 1 / 255)
SEVEN = {"wrappers": [("TimeLimit", {"max_episode_steps": 7})]}
REAL = [
    ("CartPole-v1", {}, CART, discrete(2), 500),
    ("CartPole-v1", {"max_episode_steps": 900}, CART, discrete(2), 900),
    ("CartPole-v1", SEVEN, CART, discrete(2), 7),
    ("gymnasium:FrozenLake-v1", {}, discrete(16), discrete(4), 100),
    ("Taxi-v4", {}, TAXI, discrete(6), 200),
    ("Taxi-v4", {"action_mask": False}, discrete(500), discrete(6), 200),
    ("Pendulum-v1", {"bounded_by": "tanh"}, specs.ArraySpec((3,), "float32"), PENDULUM, 200),
    ("ALE/Pong-v5", {}, SCREEN, discrete(6), 27000),
    ("PongNoFrameskip-v4", {"wrappers": wrapped_atari.WRAPPERS}, STACK, discrete(6), 108000),
    ("HalfCheetah-v5", {}, specs.ArraySpec((17,), "float64"), CHEETAH, 1000),
    ("Blackjack-v1", {"max_episode_steps": 40}, tuple(map(discrete, (32, 11, 2))), discrete(2), 40),
]


@pytest.mark.parametrize(("env_id", "kwargs", "observation", "action", "steps"), REAL)
def test_specs_of_real_ones(env_id, kwargs, observation, action, steps):
    assert Gymnasium(env_id, **kwargs).spec == specs.EnvironmentSpec(observation, action, steps)


def test_specs_of_nested_ones():
    spec = Gymnasium(f"{tiny.NAME}:Nested-v0").spec
    assert spec.observation == {
        "a_b_c": (specs.DiscreteSpec(num_values=3), specs.ArraySpec((2, 2), "bool")),
        "deep": {"box": specs.ArraySpec((2,), "float64")},
        "several": specs.MultiDiscreteSpec(num_values=(3, 5)),
    }
    assert spec.action == specs.MultiDiscreteSpec((2, 2), num_values=(2, 3, 4, 5))


@pytest.mark.parametrize("where", ["info", "observation"])
@pytest.mark.parametrize("tuples", [False, True])
def test_masks_are_found(where, tuples):
    kwargs = {"where": where, "tuples": tuples, "sizes": (2, 3)}
    shown = specs.ArraySpec((2,), "float32")
    name = "observation" if where == "info" else "shown"
    found = Gymnasium("Masked-v0", kwargs=kwargs).spec.observation
    assert found == {name: shown, "action_mask": specs.ArraySpec((5,), "bool")}
    found = Gymnasium("Masked-v0", kwargs=kwargs, action_mask=False).spec.observation
    assert found == (shown if where == "info" else {name: shown})


def test_one_environment_is_built_for_the_spec_and_closed(monkeypatch):
    built, closed = [], []
    monkeypatch.setattr(tiny.Sampled, "__init__", counted(tiny.Sampled.__init__, built))
    monkeypatch.setattr(tiny.Sampled, "close", counted(tiny.Sampled.close, closed))
    made = Gymnasium("Sampled-v0")
    assert not built
    for _ in range(3):
        _ = made.spec
    copy = pickle.loads(pickle.dumps(made))
    assert copy == made
    assert copy.spec == made.spec
    assert (len(built), len(closed)) == (1, 1)
    environment = copy.make()
    assert (len(built), len(closed)) == (2, 1)
    environment.close()
    environment.close()
    assert len(closed) == 2


def counted(function, calls):
    def call(self, *args, **kwargs):
        calls.append(self)
        return function(self, *args, **kwargs)

    return call


def test_one_that_cannot_be_used_is_closed(monkeypatch):
    closed = []
    monkeypatch.setattr(tiny.Odd, "close", counted(tiny.Odd.close, closed), raising=False)
    refusal("Odd-v0", kwargs={"observation": "text"})
    refusal("Odd-v0", wrappers=["FrameStackObservation"])
    assert len(closed) == 2


def test_gymnasiums_own_checker_is_asked(monkeypatch):
    closed = []
    monkeypatch.setattr(tiny.Sampled, "close", counted(tiny.Sampled.close, closed))
    made = Gymnasium("Sampled-v0", wrappers=[f"{tiny.NAME}:Halved"])
    assert isinstance(made, base.Checkable)
    [complaint] = made.check()  # a reset without a seed is another one each time
    assert complaint.startswith("AssertionError: Using `env.reset(seed=123)` then `env.reset()`")
    assert len(closed) == 2

    def fail(env):
        raise OSError("no such window")

    monkeypatch.setattr(tiny.Sampled, "close", fail)
    assert Gymnasium("Sampled-v0").check() == [complaint]
    assert Gymnasium("Taxi-v4").check() == []
    complaints = " ".join(Gymnasium("CartPole-v1").check())
    assert complaints.count("This is probably too") == 2  # infinite bounds, both of them


def test_one_may_say_that_it_has_history():
    made = Gymnasium("Sampled-v0", history_free=False)
    assert not made.spec.history_free
    assert dataclasses.replace(made, history_free=True).spec.history_free
    environment = made.make()
    environment.close()


def test_executors_need_no_registration():
    """They get what is registered, not its name only, and never import what registered it."""
    made = Gymnasium("CartPole-v1", wrappers=[f"{tiny.NAME}:Halved"])
    assert made.spec
    program = (
        "import pickle, sys, numpy as np\n"
        "assert 'gymnasium' not in sys.modules\n"
        "made = pickle.loads(sys.stdin.buffer.read())\n"
        "import gymnasium; gymnasium.registry.clear()\n"
        "environment = made.make()\n"
        "environment.reset(3, shown := np.zeros(4, np.float32))\n"
        "print(shown.tolist())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(made), capture_output=True, check=True
    )
    environment = made.make()
    environment.reset(3, shown := np.zeros(4, np.float32))
    assert found.stdout.decode().strip() == str(shown.tolist())


def test_who_does_not_use_gymnasium_does_not_load_it():
    program = (
        "import sys; from hts_tf import config\n"
        "from hts_tf.environments.gymnasiums import gymnasium\n"
        "assert not {'gymnasium', 'ale_py', 'mujoco', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_models_authors_are_to_change_is_no_warning(recwarn):
    pytest.importorskip("mujoco")
    assert Gymnasium("HalfCheetah-v5").spec
    assert [str(warning.message) for warning in recwarn] == []
    with pytest.warns(UserWarning, match="Nan, Inf"):
        registry._warn("Nan, Inf or huge value in QACC")


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "ALE/Pong-v5"])
def test_executors_leave_nothing_and_say_nothing(env_id, tmp_path):
    program = (
        "import pickle, sys\n"
        "for environment in [pickle.load(sys.stdin.buffer).make() for _ in range(2)]:\n"
        "    environment.env.reset(seed=0); environment.close()\n"
    )
    made = Gymnasium(env_id)
    assert made.spec
    found = subprocess.run(
        [sys.executable, "-c", program],
        input=2 * pickle.dumps(made),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(command_line.ROOT)},
        capture_output=True,
        check=True,
    )
    assert (found.stdout, found.stderr) == (b"", b"")
    assert list(tmp_path.iterdir()) == []


# ---- Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "says"),
    [
        ("CartPol-v1", "did you mean CartPole-v1"),
        ("CartPole", "did you mean CartPole-v1"),
        ("ALE/Pung-v5", "did you mean ALE/Pong-v5"),
        ("CartPole-v7", "It provides versioned environments: [ `v0`, `v1` ]"),
        ("Zork/x", "is not registered"),
        ("", "is not registered"),
        ("a b", "is not registered"),
        ("HalfCheetah-v3", "have been moved to the gymnasium-robotics project"),
        ("nowhere:Game-v0", "names nowhere, which is not imported: add the line 'import nowhere'"),
        ("gymnasium.nowhere:Game-v0", "No module named 'gymnasium.nowhere'"),
        ("Local-v0", "cannot travel to executors"),
        ("Broken-v0", "cannot be built: RuntimeError: out of order"),
        ("Endless-v0", "Gymnasium.max_episode_steps must be bound: Endless-v0 has no limit"),
    ],
)
def test_ids_that_cannot_be_used(env_id, says):
    message = refusal(env_id)
    assert says in message
    assert "Gymnasium." in message


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"kwargs": {"color": "red"}}, "unexpected keyword argument 'color'"),
        ({"kwargs": {"render_mode": "human"}}, "Gymnasium.kwargs cannot have 'render_mode'"),
        ({"kwargs": {"max_episode_steps": 3}}, "Gymnasium.kwargs cannot have 'max_episode_steps'"),
        (
            {"kwargs": {"level": "this:mode"}},
            "names this, which is not imp",
        ),
        ({"kwargs": {"a": {"b": ["c", ("this:x",)]}}}, "names this, which is not imported"),
        ({"wrappers": ["FrameStackObservations"]}, "did you mean FrameStackObservation"),
        ({"wrappers": ["FireRest"]}, "FireReset"),
        ({"wrappers": ["wrappers"]}, "there is no wrapper 'wrappers'"),
        ({"wrappers": [f"{tiny.NAME}:Half"]}, "did you mean Halved"),
        ({"wrappers": [f"{tiny.NAME}:Sampled"]}, "is not a wrapper"),
        ({"wrappers": ["os:system"]}, "is not a wrapper"),
        ({"wrappers": ["this:mode"]}, "names this, which is not imported"),
        ({"wrappers": ["FrameStackObservation"]}, "FrameStackObservation with no arguments cannot"),
        (
            {"wrappers": [("FrameStackObservation", {"stack_size": 0})]},
            "'stack_size': 0} cannot be",
        ),
        (
            {"wrappers": [("FrameStackObservation", 4)]},
            "must be a name or (name, {keyword: value})",
        ),
        ({"wrappers": [()]}, "must be a name or"),
        ({"wrappers": [("TimeLimit", {"max_episode_steps": 3}, 4)]}, "must be a name or"),
        (
            {"wrappers": ["AtariPreprocessing"]},
            "AtariPreprocessing with no arguments cannot be made",
        ),
        *(
            ({"wrappers": [name]}, f"{name} cannot be used, as its statistics are of earlier")
            for name in (
                "NormalizeObservation",
                "gymnasium.wrappers:NormalizeObservation",
                "gymnasium.wrappers.stateful_observation:NormalizeObservation",
            )
        ),
        ({"wrappers": ["Autoreset"]}, "it begins episodes by itself"),
    ],
)
def test_arguments_that_cannot_be_used(kwargs, says):
    assert says in refusal("CartPole-v1", **kwargs)


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("reset", "cannot be reset: RuntimeError: cannot begin"),
        ("leaves", "cannot be built: SystemExit: 0"),
        ("late", "lacks a space before it is reset"),
        ("", "has other spaces once it is reset"),
    ],
)
def test_those_that_cannot_begin(when, says, capfd):
    assert says in refusal("Broken-v0", kwargs={"when": when})
    if when != "leaves":  # and what comes of closing it hides nothing
        assert "failed as it was closed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("text", "the observation space Text("),
        ("graph", "the observation space Graph("),
        ("sequence", "the observation space Sequence("),
        ("oneof", "the observation space OneOf("),
        ("mission", "the observation/mission space Text("),
        ("nothing", "the observation space Box("),
        ("empty", "holds nothing"),
        ("keys", "needs another name"),
        ("critic", "a key 'critic state' that needs another name"),
        ("mask", "that needs another name"),
    ],
)
def test_observations_that_are_not_served(kind, says):
    assert says in refusal("Odd-v0", kwargs={"observation": kind})


@pytest.mark.parametrize(
    "kind", ["text", "sequence", "oneof", "integers", "dict", "empty", "nothing"]
)
def test_actions_that_are_not_served(kind):
    message = refusal("Odd-v0", kwargs={"action": kind})
    assert "the action space" in message
    assert "Discrete, MultiDiscrete, MultiBinary, and Box of floats are" in message


def test_masks_of_actions_that_have_none():
    kwargs = {"info_mask": (1, 1), "action_space": spaces.MultiBinary(2)}
    assert "Gymnasium.action_mask = False" in refusal("Sampled-v0", kwargs=kwargs)
    assert Gymnasium("Sampled-v0", kwargs=kwargs, action_mask=False).spec


@pytest.mark.parametrize(
    ("module", "env_id", "extra"),
    [
        ("gymnasium", "CartPole-v1", "gymnasium"),
        ("ale_py", "ALE/Pong-v5", "atari"),
        ("mujoco", "HalfCheetah-v5", "mujoco"),
        ("Box2D", "LunarLander-v3", "box2d"),
    ],
)
def test_packages_that_are_missing(module, env_id, extra):
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from hts_tf.environments.gymnasiums.gymnasium import Gymnasium\n"
        f"try: Gymnasium({env_id!r}).spec\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    message, *_ = found.splitlines()  # gin adds what was called
    assert message.startswith("ConfigError")
    assert message.endswith(f"{installation.extra_command(extra)} installs them")


def test_one_that_is_another_each_time(monkeypatch):
    made = Gymnasium("CartPole-v1")
    found = made._found
    other = dataclasses.replace(found.spec, max_episode_steps=3)
    made.__dict__["_found"] = found._replace(spec=other)
    with pytest.raises(checked.ProtocolError, match="other spaces each time"):
        made.make()


def test_each_is_built_of_the_same_arguments():
    wrappers = [(f"{tiny.NAME}:Noted", {"notes": ["one"]})]
    config = Gymnasium("TakesApart-v0", {"config": {"size": 3}}, wrappers)
    assert config.spec.observation.shape == (3,)
    for recipe in (config, pickle.loads(pickle.dumps(config))):
        for _ in range(2):
            made = recipe.make()
            assert made.spec.observation.shape == (3,)
            assert made.env.note == "one"
            made.close()


@pytest.mark.parametrize("wrapper", ["FlattenObservation", "TimeAwareObservation"])
def test_masks_that_wrappers_hide_are_warned_of(wrapper):
    kwargs = {"where": "observation"}
    with pytest.warns(UserWarning, match=r"shows masks, which Gymnasium\.wrappers hide"):
        Gymnasium("Masked-v0", kwargs, [wrapper]).spec  # noqa: B018
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Gymnasium("Masked-v0", kwargs, [wrapper], action_mask=False).spec


def test_figures_of_a_wrapper_that_does_not_see_the_end_are_warned_of():
    wrappers, figures = ["RecordEpisodeStatistics"], ("episode/r",)
    limited = Gymnasium("Sampled-v0", None, wrappers, max_episode_steps=5, figures=figures)
    advice = r"put \('TimeLimit', {'max_episode_steps': 5}\) before"
    with pytest.warns(UserWarning, match=advice):
        limited.spec  # noqa: B018
    inside = [("TimeLimit", {"max_episode_steps": 5}), *wrappers]
    taken = dataclasses.replace(limited, wrappers=inside)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataclasses.replace(limited, figures=()).spec
        assert taken.spec.max_episode_steps == 5
    environment, observation = checked.make(taken), taken.spec.new_observation()
    environment.reset(0, observation)
    results = [environment.step(0, observation) for _ in range(5)]
    assert results[-1].truncated
    assert results[-1].figures.tolist() == [1 + 2 + 3 + 4 + 5]


# ---- As a scenario ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "family"),
    [
        ("CartPole-v1", registry.CLASSIC_CONTROL),
        ("FrozenLake-v1", registry.GYMNASIUM),
        ("ALE/Pong-v5", registry.ATARI),
        ("BreakoutNoFrameskip-v4", registry.ATARI),
        ("HalfCheetah-v5", registry.MUJOCO),
        ("HalfCheetah-v3", registry.GYMNASIUM),
        ("Sampled-v0", registry.GYMNASIUM),
        ("Local-v0", registry.GYMNASIUM),
    ],
)
def test_families(env_id, family):
    assert registry.family(registry.find(env_id)) == family
    assert (presets.directory() / f"{family}.gin").is_file()


MINE = """
import gymnasium

class Game(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (3,))
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._show(), {}

    def step(self, action):
        hit = float(action == self.light)
        return self._show(), hit, False, False, {}

    def _show(self):
        self.light = self.np_random.integers(3)
        shown = self.observation_space.low.copy()
        shown[self.light] = 1
        return shown

class Doubled(gymnasium.RewardWrapper):
    def reward(self, reward):
        return 2 * reward

gymnasium.register("mine/Game-v3", "my_games:Game", max_episode_steps=16)
"""
SMALL = [
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 32",
    "--gin_bindings=Trainer.total_env_steps = 512",
    command_line.ONE_EXECUTOR,
    "--gin_bindings=Gymnasium.wrappers = ['my_games:Doubled']",
]


@pytest.mark.slow
def test_an_environment_of_the_users_own_from_a_command_to_a_replay(tmp_path):
    place = tmp_path / "modules"
    place.mkdir()
    (place / "my_games.py").write_text(MINE)
    workdir = f"--workdir={tmp_path / 'run'}"
    scenario = "--scenario=my_games:mine/Game-v3"
    code, output, error = command_line.run(
        "hts_tf.train", scenario, workdir, *SMALL, pythonpath=[place]
    )
    assert code == 0, error
    assert "512 env steps" in output

    # Who gets the workdir imports nothing that they have not named.
    code, _, error = command_line.run("hts_tf.replay", workdir, "--check_only", pythonpath=[place])
    assert code == 2
    assert "--modules=my_games" in error
    assert len(error.splitlines()) == 1
    trusting = "--modules=my_games"
    code, output, error = command_line.run(
        "hts_tf.replay", workdir, "--check_only", trusting, pythonpath=[place]
    )
    assert code == 0, error
    assert "agree with the archive" in output

    code, _, error = command_line.run("hts_tf.replay", workdir, trusting, pythonpath=[place])
    assert code == 2
    assert "has no pictures" in error
    assert "--check_only" in error
    code, output, error = command_line.run(
        "hts_tf.evaluate", workdir, trusting, "--episodes=3", pythonpath=[place]
    )
    assert code == 0, error
    assert "3 episodes with the policy" in output
    assert "warning: no video of the first episode" in error


REFUSED = [
    (["--scenario=CartPol-v1"], "CartPole-v1"),
    (["--scenario=no_such_module:Game-v0"], "No module named 'no_such_module'"),
    (["--scenario=CartPole-v1", "--gin_bindings=Gymnasium.kwargs = {'x': 1}"], "'x'"),
    (["--scenario=Blackjack-v1"], "Gymnasium.max_episode_steps must be bound"),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """What each of these commands comes to."""
    workdir = tmp_path_factory.mktemp("refused") / "run"
    commands = [[f"--workdir={workdir}", *flags] for flags, _ in REFUSED]
    return refusals.of("hts_tf.train", "train", commands)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_commands_refuse_in_a_line(refused, number, says):
    code, _, error = refused[number]
    assert code == 2
    (line,) = [line for line in error.splitlines() if line.startswith("error: ")]
    assert says in line
    assert "Traceback" not in error
