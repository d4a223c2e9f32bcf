import re

import gin
import pytest

from hts_tf import config, errors, operative, presets, settings, specs
from hts_tf.environments import synthetic
from hts_tf.environments.football import football
from hts_tf.environments.gymnasiums import gymnasium

pytestmark = pytest.mark.usefixtures("clean_gin")


@pytest.mark.parametrize("method", presets.names("methods"))
@pytest.mark.parametrize("scenario", presets.names("scenarios"))
def test_every_method_with_every_scenario(method, scenario):
    config.load(scenario, method)
    environment = config.environment()
    bound = gin.get_bindings("Trainer")
    bound["algorithm"].check_batch(bound["sync_interval"], bound["num_envs"])
    if isinstance(environment, football.Football):
        assert environment.scenario == scenario
    elif isinstance(environment, gymnasium.Gymnasium):
        assert scenario.startswith(environment.id)
    else:
        assert type(environment).__name__.lower() == scenario
    action = environment.spec.action
    assert isinstance(action, specs.BoxSpec) or action.num_values >= 2


@pytest.mark.parametrize("scenario", ["BipedalWalker-v3", "BipedalWalkerHardcore-v3"])
def test_what_remembers_earlier_episodes_says_so(scenario):
    config.load(scenario, "hts_ppo")
    assert not config.environment().spec.history_free


def test_a_scenario_without_a_file_of_its_own_is_gfootballs():
    scenario = "1_vs_1_easy"
    assert scenario not in presets.names("scenarios")
    config.load(scenario, "hts_ppo")
    assert gin.query_parameter("Football.scenario") == scenario
    config.load(scenario, "hts_ppo", gin_bindings=["Football.scenario = '5_vs_5'"])
    assert gin.query_parameter("Football.scenario") == "5_vs_5"


@pytest.mark.parametrize(
    ("scenario", "epochs"),
    [
        ("Acrobot-v1", 4),
        ("gymnasium:FrozenLake-v1", 10),
        ("ALE/Pong-v5", 4),
        ("PongNoFrameskip-v4", 4),
        ("HalfCheetah-v5", 10),
        ("LunarLander-v3", 10),
    ],
)
def test_a_scenario_that_is_an_id_is_gymnasiums(scenario, epochs):
    config.load(scenario, "hts_ppo")
    environment = config.environment()
    assert isinstance(environment, gymnasium.Gymnasium)
    assert environment.id == scenario
    assert gin.query_parameter("PPO.epochs") == epochs
    settings.Settings()
    text = operative.text(0)
    assert operative.IMPORTS not in operative.bindings(text), "nobody has to trust Gymnasium"
    config.load_text(text, "config.gin")
    assert config.environment() == environment
    assert config.environment_in(text, "config.gin") == environment


def test_where_rewards_are_scaled():
    """Where their size is not known, and where their preset says so."""
    for scenario, scaled in [
        ("academy_corner", False),
        ("Acrobot-v1", False),
        ("ALE/Pong-v5", False),
        ("HalfCheetah-v5", True),
        ("LunarLander-v3", True),
        ("FrozenLake-v1", True),
        ("pettingzoo:tests.zoo", True),
    ]:
        config.load(scenario, "hts_ppo")
        assert (gin.get_bindings("Trainer").get("reward_scaling") is not None) == scaled


@pytest.mark.parametrize("method", ["hts_ppo", "hts_ppo_fast", "ppo"])
@pytest.mark.parametrize(
    "scenario",
    [
        *("Acrobot-v1", "FrozenLake-v1", "ALE/Pong-v5", "HalfCheetah-v5", "LunarLander-v3"),
        "pettingzoo:tests.zoo",
    ],
)
def test_no_other_environment_is_learnt_with_footballs_numbers(scenario, method):
    config.load("academy_corner", "hts_ppo")
    names = ("clip", "discount", "max_gradient_norm", "learning_rate", "entropy_cost")
    of_football = gin.get_bindings("PPO")
    config.load(scenario, method)
    ours = gin.get_bindings("PPO")
    assert not [name for name in names if ours[name] == of_football[name]]
    config.load(scenario, "hts_ppo")
    assert gin.get_bindings("PPO") == ours, "whatever the method"


def test_an_id_of_a_users_module_is_remembered_with_its_import(tmp_path, monkeypatch):
    register = (
        "import gymnasium\ngymnasium.register('Own-v0', 'own_games:Game', max_episode_steps=9)"
    )
    (tmp_path / "own_games.py").write_text(register)
    monkeypatch.syspath_prepend(str(tmp_path))
    config.load("own_games:Own-v0", "hts_ppo")
    assert config.environment().id == "own_games:Own-v0"
    settings.Settings()
    text = operative.text(0)
    assert operative.bindings(text)[operative.IMPORTS] == ("own_games",)
    with pytest.raises(errors.ConfigError, match="--modules=own_games"):
        config.load_text(text, "config.gin")
    config.load_text(text, "config.gin", ["own_games"])
    assert config.environment().id == "own_games:Own-v0"


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ("CartPol-v1", "--scenario=CartPol-v1: Gymnasium.id = 'CartPol-v1' is not registered"),
        ("CartPole", "unknown scenario 'CartPole'; did you mean CartPole-v1"),
        ("nowhere:Game-v0", "--scenario=nowhere:Game-v0: No module named 'nowhere'"),
        ("ALE/Pung-v5", "did you mean ALE/Pong-v5"),
    ],
)
def test_unknown_ids(scenario, says):
    assert says in refusal(scenario, "hts_ppo")


def test_later_files_and_bindings_win(tmp_path):
    first, second = tmp_path / "first.gin", tmp_path / "second.gin"
    first.write_text("PPO.clip = 0.5\nPPO.epochs = 5\nTrainer.num_envs = 5\n")
    second.write_text("PPO.epochs = 6\nTrainer.num_envs = 6\n")
    config.load(
        "synthetic",
        "hts_ppo",
        [str(first), str(second)],
        ["Trainer.num_envs = 7", "Trainer.num_envs = 8"],
    )
    assert gin.query_parameter("PPO.clip") == 0.5
    assert gin.query_parameter("PPO.epochs") == 6
    assert gin.query_parameter("Trainer.num_envs") == 8
    assert gin.query_parameter("PPO.num_minibatches") == 8


@pytest.mark.parametrize(
    ("scenario", "binding", "other"),
    [
        ("1_vs_1_easy", "Football.scenario = '5_vs_5'", "5_vs_5"),
        ("Acrobot-v1", "Gymnasium.id = 'CartPole-v1'", "CartPole-v1"),
    ],
)
def test_files_win_over_what_a_scenario_without_one_binds(scenario, binding, other, tmp_path):
    path = tmp_path / "my.gin"
    path.write_text(f"{binding}\n")
    config.load(scenario, "hts_ppo", [str(path)])
    name = binding.partition(" = ")[0]
    assert gin.query_parameter(name) == other
    expected = config.environment()
    assert config.environment_for(scenario, [str(path)]) == expected
    config.load(scenario, "hts_ppo", [str(path)], [f"{name} = {scenario!r}"])
    assert gin.query_parameter(name) == scenario


@pytest.fixture
def namesakes(tmp_path, monkeypatch):
    """The current directory: files of the user's that are named as some of ours are."""
    monkeypatch.chdir(tmp_path)
    for name in ("football", "methods/hts_ppo", "scenarios/academy_corner"):
        path = tmp_path / f"{name}.gin"
        path.parent.mkdir(exist_ok=True)
        path.write_text("Football.rewards = 'scoring'\nFootball.frames = 2\nPPO.epochs = 77\n")
    return tmp_path


def test_ours_are_found_whatever_lies_where_one_is(namesakes):
    expected = football.Football("academy_corner", rewards="scoring,checkpoints")
    config.load("academy_corner", "hts_ppo")
    assert gin.query_parameter("PPO.epochs") != 77
    assert config.environment() == config.environment_for("academy_corner") == expected


@pytest.mark.parametrize("includes_ours", [False, True])
def test_files_of_the_users_are_theirs_whatever_their_names(namesakes, includes_ours):
    """They may go on from ours, which are found first where a file includes one."""
    path = namesakes / "football.gin"
    if includes_ours:
        path.write_text(f"{path.read_text()}include 'football.gin'\n")
    config.load("academy_corner", "hts_ppo", ["football.gin"])
    found = config.environment()
    assert found == config.environment_for("academy_corner", ["football.gin"])
    assert found.frames == 2
    assert found.rewards == ("scoring,checkpoints" if includes_ours else "scoring")


def test_nothing_is_left_of_the_configuration_before():
    config.load("synthetic", "hts_ppo", gin_bindings=["Synthetic.num_actions = 9"])
    config.load("synthetic", "hts_ppo")
    assert gin.get_bindings("Synthetic") == {}


def refusal(*args, **kwargs):
    """The message of the ConfigError that loading raises; always one line."""
    with pytest.raises(errors.ConfigError) as error:
        config.load(*args, **kwargs)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


def test_unknown_scenario():
    message = refusal("academy_empty_gaol_close", "hts_ppo")
    assert message.startswith("unknown scenario 'academy_empty_gaol_close'; did you mean ")
    assert "academy_empty_goal_close" in message


def test_unknown_scenario_that_is_like_none():
    message = refusal("zzz", "hts_ppo")
    assert "synthetic" in message
    assert "11_vs_11_stochastic" in message


def test_unknown_method():
    message = refusal("synthetic", "hts_poo")
    assert message.startswith("unknown method 'hts_poo'; did you mean hts_ppo")


@pytest.mark.parametrize(
    ("binding", "word"),
    [
        ("PPPO.clip = 0.1", "PPPO"),
        ("PPO.klip = 0.1", "klip"),
        ("Trainer.environment = @Futball()", "Futball"),
        ("PPO.clip = ", "value"),
        ("PPO.clip", "expected ':' or '='"),
        ("ActorCritic.seed = 1", "seed"),
        ("Trainer.workdir = '/'", "workdir"),
        ("include 'nowhere.gin'", "nowhere.gin"),
    ],
)
def test_bad_bindings(binding, word, tmp_path):
    assert word in refusal("synthetic", "hts_ppo", gin_bindings=[binding])
    path = tmp_path / "mine.gin"
    path.write_text(f"PPO.epochs = 3\n{binding}\n")
    assert word in refusal("synthetic", "hts_ppo", gin_files=[str(path)])


def test_missing_gin_file(tmp_path):
    path = str(tmp_path / "none.gin")
    assert refusal("synthetic", "hts_ppo", gin_files=[path]) == f"there is no gin file '{path}'"


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [("synthetic", synthetic.Synthetic), ("academy_corner", football.Football)],
)
def test_environment_is_the_one_that_is_bound(scenario, kind):
    config.load(scenario, "hts_ppo")
    assert isinstance(config.environment(), kind)


def test_the_environment_alone(clean_gin):
    text = (
        "# --seed = 0\nTrainer.environment = @Football()\nTrainer.algorithm = @Unheard()\n"
        "Unheard.of = 3\nFootball.scenario = 'academy_corner'\nFootball.frames = 2\n"
    )
    expected = football.Football("academy_corner", frames=2)
    assert config.environment_in(text, "config.gin") == expected


def test_an_environment_that_is_not_there(clean_gin):
    with pytest.raises(errors.ConfigError, match="@Unheard"):
        config.environment_in("Trainer.environment = @Unheard()\n", "config.gin")


# What a configurable of the user's refers to may be unknown without TensorFlow, as that is.
TALL = ["ActorCritic.torso = @tall", "tall.inner = {'a': (@Unheard,)}"]


def test_the_environment_beside_a_torso_of_what_is_not_there(namesake):
    def tall(spec, seeds, inner=None):
        pass

    namesake(tall, "theirs")
    text = "\n".join(["Trainer.environment = @Synthetic()", "Synthetic.num_actions = 9", *TALL])
    expected = synthetic.Synthetic(num_actions=9)
    assert config.environment_in(text, "config.gin") == expected
    assert config.environment_for("synthetic", gin_bindings=text.splitlines()) == expected


def test_an_environment_of_what_is_not_there(namesake):

    class Wrapped(synthetic.Synthetic):
        def __init__(self, inner=None):
            super().__init__()

    namesake(Wrapped, "theirs")
    text = (
        "Trainer.environment = @Tasks()\nTasks.environments = (@a/Wrapped(), @Wrapped())\n"
        "a/Wrapped.inner = @Unheard\n"
    )
    with pytest.raises(errors.ConfigError, match="@Unheard"):
        config.environment_in(text, "config.gin")


@pytest.mark.parametrize(
    ("binding", "meant"),
    [
        ("num_envs = 4", "; did you mean Trainer.num_envs?"),
        ("learning_rate = (0.1, 2)", "; did you mean .*PPO.learning_rate"),
        ("nothing_like_it = 'a'", "$"),
    ],
)
def test_a_macro_that_nothing_refers_to(binding, meant):
    name, value = binding.split(" = ")
    message = refusal("synthetic", "hts_ppo", gin_bindings=[binding])
    expected = f"^{name} = {re.escape(value)} has no effect, as nothing refers to %{name}{meant}"
    assert re.search(expected, message)


def test_a_macro_that_is_not_bound():
    message = refusal("synthetic", "hts_ppo", gin_bindings=["PPO.clip = %width"])
    assert message == "%width is referred to, but nothing binds width"


def test_macros_of_macros():
    bindings = ["a = 32", "b = %a", "mlp.units = (%b, 16)"]
    config.load("synthetic", "hts_ppo", gin_bindings=bindings)
    assert gin.get_bindings("mlp")["units"] == (32, 16)


@pytest.mark.parametrize(
    ("binding", "says"),
    [
        ("num_actions = 9", "has no effect, .* did you mean Synthetic.num_actions"),
        ("Synthetic.step_time = constant", "a word is written 'constant'"),
        ("Synthetic.num_actions =", "Unable to parse value"),
    ],
)
def test_an_environment_alone_is_refused_as_by_a_training(binding, says):
    with pytest.raises(errors.ConfigError, match=says):
        config.environment_for("synthetic", gin_bindings=[binding])
    with pytest.raises(errors.ConfigError, match=says):
        config.load("synthetic", "hts_ppo", gin_bindings=[binding])


def test_an_environment_whose_name_is_like_one_of_ours(namesake):
    class Synthetic2(synthetic.Synthetic):
        pass

    namesake(Synthetic2, "theirs")
    bindings = ["Trainer.environment = @Synthetic2()", "Synthetic2.num_actions = 5"]
    found = config.environment_for("synthetic", gin_bindings=bindings)
    assert (type(found).__name__, found.num_actions) == ("Synthetic2", 5)
    with pytest.raises(errors.ConfigError, match="no Synthetic3 here; did you mean Synthetic"):
        config.environment_for("synthetic", gin_bindings=["Synthetic3.num_actions = 5"])


def test_a_macro_whose_use_is_overridden(tmp_path):
    path = tmp_path / "my.gin"
    path.write_text("envs = 16\nTrainer.num_envs = %envs\n")
    config.load("synthetic", "hts_ppo", [str(path)], ["Trainer.num_envs = 8"])
    assert gin.get_bindings("Trainer")["num_envs"] == 8
    including = tmp_path / "including.gin"
    including.write_text(f"include '{path}'  # everyone's\n")
    config.load("synthetic", "hts_ppo", [str(including)], ["Trainer.num_envs = 8"])
    assert gin.get_bindings("Trainer")["num_envs"] == 8


def test_a_sign_in_what_a_file_includes(tmp_path):
    (tmp_path / "base.gin").write_text("cost = 0.5\nPPO.value_cost = -%cost\n")
    path = tmp_path / "mine.gin"
    path.write_text(f"include '{tmp_path / 'base.gin'}'\n")
    message = refusal("synthetic", "hts_ppo", gin_files=[str(path)])
    assert message.startswith("-%cost: gin takes no sign here")


OF = {"methods": "hts_a2c", "scenarios": "synthetic"}  # a file of each kind


@pytest.mark.parametrize("kind", ["methods", "scenarios"])
def test_files_that_leave_out_what_a_training_is_made_of(tmp_path, monkeypatch, kind):
    for each in ("methods", "scenarios"):
        (tmp_path / each).mkdir()
        text = "" if each == kind else (presets.directory() / each / f"{OF[each]}.gin").read_text()
        (tmp_path / each / f"{OF[each]}.gin").write_text(text)
    monkeypatch.setattr(presets, "directory", lambda: tmp_path)
    monkeypatch.setattr(gin.config, "_LOCATION_PREFIXES", [*gin.config._LOCATION_PREFIXES])
    message = refusal(OF["scenarios"], OF["methods"])
    missing = {"methods": "Trainer.algorithm", "scenarios": "Trainer.environment"}[kind]
    assert message.startswith(f"{missing} must be bound")
