import importlib
import itertools

import gin
import pytest

from hts_tf import config, differences, operative, settings
from hts_tf.environments import synthetic
from hts_tf.files import scope
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.observers.observer import Observer

pytestmark = pytest.mark.usefixtures("clean_gin")


def test_operative_configuration_can_be_taken_apart():
    config.load("synthetic", "hts_ppo", gin_bindings=["mlp.units = (300, 200, 100)"])
    ActorCritic(synthetic.Synthetic().spec, 0)
    text = operative.text(seed=17)
    bindings = operative.bindings(text)
    assert bindings["ActorCritic.torso"] == operative.Reference("@mlp")
    assert bindings["mlp.units"] == (300, 200, 100)
    assert bindings["Synthetic.num_actions"] == 4
    assert "PPO.clip" not in bindings  # nobody asked for it
    assert bindings["--seed"] == 17
    assert differences.between(text, operative.text(seed=18)) == ["--seed = 17 there, 18 now"]


def test_operative_configuration_can_be_loaded_again():
    config.load("synthetic", "hts_ppo", gin_bindings=["mlp.units = (30, 20)"])
    before = ActorCritic(synthetic.Synthetic().spec, 0).parameters_hash()
    text = operative.text(seed=17)
    config.load("academy_empty_goal_close", "hts_ppo")
    config.load_text(text, "config.gin")
    assert ActorCritic(synthetic.Synthetic().spec, 0).parameters_hash() == before
    assert operative.text(seed=17) == text


def test_a_long_value_stays_in_one_piece():
    units = tuple(range(1000, 1200))
    config.load("synthetic", "hts_ppo", gin_bindings=[f"mlp.units = {units}"])
    bound = gin.query_parameter("mlp.units")
    assert bound == units
    text = f"mlp.units = {units}\nx.y = 1\n"
    assert operative.bindings(text) == {"mlp.units": units, "x.y": 1}


def used(*bindings):
    """The text of a configuration on whose network somebody has looked."""
    config.load("synthetic", "hts_ppo", gin_bindings=bindings)
    settings.Settings()
    ActorCritic(synthetic.Synthetic().spec, 0)
    return operative.text(seed=0)


def test_values_are_remembered_whatever_way_they_were_written():
    plain = used("mlp.units = (3, 2)", "Trainer.num_executors = 1", "PPO.clip = 0.5")
    gin.constant("half", 0.5)
    for written in (
        ["few = 3", "all = (%few, 2)", "mlp.units = %all", "PPO.clip = %half"],
        [
            "mlp.units = (\n3, 2)",
            "PPO.clip = 5e-1",
            "Trainer.algorithm = @hts_tf.algorithms.ppo.PPO()",
        ],
        ["mlp:\n  units = (3, 2)", "p = @ppo.PPO()", "Trainer.algorithm = %p", "PPO.clip = .5"],
    ):
        text = used(*written, "n = 1", "Trainer.num_executors = %n")
        assert text == plain
    assert "%" not in plain
    as_list = used("mlp.units = [3, 2]", "Trainer.num_executors = 1", "PPO.clip = 0.5")
    assert differences.between(plain, as_list) == []


def test_macros_of_older_workdirs_stand_for_their_values():
    old = (
        "n = 1\nall = (%n, 2)\na/n = 5\nTrainer.num_executors = %n\nmlp.units = %all\nA.x = %a/n\n"
    )
    assert operative.bindings(old) == {
        "Trainer.num_executors": 1,
        "mlp.units": (1, 2),
        "A.x": 5,
    }
    new = "Trainer.num_executors = 2\nmlp.units = [1, 2]\nA.x = 5.0\n"
    assert differences.between(old, new) == []
    assert differences.between(old, new.replace("[1", "[3")) == [
        "mlp.units = (1, 2) there, [3, 2] now"
    ]
    assert differences.between("A.x = True\n", "A.x = 1\n") == ["A.x = True there, 1 now"]
    assert operative.bindings("A.x = '%n'\nn = 1\n") == {"A.x": "%n"}


def test_what_an_older_run_did_not_know_had_the_meaning_of_the_default():
    new = used()
    old = "".join(
        line
        for line in new.splitlines(keepends=True)
        if "value_clip" not in line and "ActorCritic.head" not in line
    )
    assert len(old.splitlines()) == len(new.splitlines()) - 2
    assert differences.between(old, new) == []
    assert differences.between(old, used("PPO.value_clip = None")) == [
        "PPO.value_clip = 'clip' there, None now"
    ]
    assert differences.between(old.replace("PPO.clip = 0.08\n", ""), used("PPO.clip = 0.3")) == [
        "PPO.clip = 0.08 there, 0.3 now"
    ]


def test_what_nothing_of_a_run_uses():
    lines = [
        "PPO.clip = 0.1",
        "hts_tf.algorithms.a2c.A2C.discount = 0.9",
        "a/lstm.units = 64",
        "n = 3",
        "Trainer.num_executors = %n",
        "Synthetic.num_actions = 3",
    ]
    assert operative.unused(lines, used(*lines[:1])) == [
        "hts_tf.algorithms.a2c.A2C.discount",
        "a/lstm.units",
    ]


def test_defaults_that_are_configurables_are_remembered():
    bound = operative.bindings(used("Trainer.algorithm = @A2C()"))
    assert bound["A2C.optimizer"] == operative.Reference("@rmsprop")


def test_imports_are_remembered_and_compared(tmp_path, monkeypatch):
    (tmp_path / "patches.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    old, new = used(), used("import patches", "import hts_tf.environments.synthetic")
    assert operative.bindings(new)["import"] == ("patches",)
    assert differences.between(old, new) == ["import = unset there, ('patches',) now"]
    assert scope.modules(("patches", "nowhere")) == {"module patches": "e3b0c44298fc"}


def test_of_a_package_all_modules_count(tmp_path, monkeypatch):
    (tmp_path / "games" / "mazes").mkdir(parents=True)
    (tmp_path / "games" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("games")
    found = [scope.modules(["games"])]
    maze = tmp_path / "games" / "mazes" / "maze.py"
    maze.with_name(".#maze.py").symlink_to("nowhere")  # as Emacs locks what it edits
    for size in (5, 6):
        maze.write_text(f"SIZE = {size}")
        scope._hash_of_files.cache_clear()
        found.append(scope.modules(["games"]))
    assert len({hashed for modules in found for hashed in modules.values()}) == 3


SPECTATORS = """
import gin
from hts_tf.observers.observer import Observer

@gin.configurable
class Spectator(Observer):
    def __init__(self, seats=1):
        pass
"""

STADIUM = """
from hts_tf.environments.synthetic import Synthetic

@gin.configurable
class Stadium(Synthetic):
    pass

@gin.configurable
def roar(weight=1.0):
    return weight
"""


def test_observers_may_be_bound_otherwise_or_left_away(tmp_path, monkeypatch):
    """Also those of a user's, with their modules; others of his modules may not."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "spectators.py").write_text(SPECTATORS)
    (tmp_path / "spells.py").write_text("")
    without = used()
    watched = ["import spectators", "Trainer.observers = (@Spectator(),)", "Spectator.seats = 3"]
    there = used(*watched)
    assert "Spectator.seats = 3" in there
    more = used(*watched, "Spectator.seats = 4")
    for old, new in itertools.permutations([without, there, more], 2):
        assert differences.between(old, new) == []
    spelled = used(*watched, "import spells")
    for watched_text, unwatched in ((there, without), (spelled, used("import spells"))):
        left = operative.without_observers(watched_text)
        assert not any(word in left for word in ("pectator", "observers", operative.WATCHING))
        assert differences.between(left, unwatched) == []
        assert operative.without_observers(unwatched) == unwatched
    # Where it is not known, what is remembered of it has to do.
    for name, module in (("Spectator", "spectators"), ("Nobody", "nobodies")):
        old, cast = (
            t.replace("Spectator", name).replace("spectators", module) for t in (there, spelled)
        )
        assert differences.between(old, without) == differences.between(without, old) == []
        assert differences.between(cast, without) == ["import = ('spells',) there, unset now"]
        assert differences.between(old, cast) == ["import = unset there, ('spells',) now"]


def test_a_module_is_left_away_only_if_nothing_but_observers_comes_from_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "stadium.py").write_text(SPECTATORS.replace("Spectator", "Fan") + STADIUM)
    watched = ["import stadium", "Trainer.observers = (@Fan(),)"]
    assert operative.bindings(used(*watched))[operative.WATCHING] == ("stadium",)
    for more in ("Trainer.environment = @Stadium()", "roar.weight = 2.0"):
        there = used(*watched, more)
        assert operative.WATCHING not in operative.bindings(there)
        assert "import = ('stadium',) there, unset now" in differences.between(there, used())


def test_observers_may_have_the_names_of_others(namesake):
    class CsvLog(Observer):
        def __init__(self, seats=1):
            pass

    namesake(CsvLog, "theirs")
    there = used("Trainer.observers = (@theirs.CsvLog(),)", "theirs.CsvLog.seats = 3")
    assert "theirs.CsvLog.seats = 3" in there
    for now in (used(), there.replace("theirs.CsvLog", "CsvLog")):
        assert differences.between(there, now) == differences.between(now, there) == []


def test_what_an_update_may_call_later_is_remembered():
    @gin.configurable
    def term_of_a_loss(weight=1.0):
        return weight

    text = used("term_of_a_loss.weight = 2.0", "rmsprop.decay = 0.5")
    assert operative.bindings(text)["term_of_a_loss.weight"] == 2.0
    assert "rmsprop" not in text  # ours are called when the run is built, or never
    term_of_a_loss()
    assert operative.text(0).count("term_of_a_loss.weight = 2.0\n") == 1
