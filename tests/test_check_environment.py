import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from hts_tf import check_environment
from hts_tf.environments import history
from hts_tf.environments.random_episodes import Played
from tests import command_line, refusals

HERE = command_line.ROOT / "tests" / "extensions"
SAME = [f"  {way}: the same to the bit" for way in history.WAYS]


def run(*flags, pythonpath=()):
    return command_line.run("hts_tf.check_environment", *flags, pythonpath=pythonpath)


def test_an_environment_that_keeps_the_promise():
    code, output, errors = run(
        "--scenario=synthetic",
        "--gin_bindings=Synthetic.episode_steps = 7",
        "--gin_bindings=PPO.clip = 0.1",  # of no concern here
        "--envs=4",
        "--learning_sec=2",
    )
    assert code == 0, errors
    lines = output.splitlines()
    assert lines[:4] == [
        "Synthetic",
        "  observation: float32 [4]",
        "  action: uint8 [], one of 4 values",
        "  episodes: at most 7 env steps",
    ]
    assert "episodes played again (3, 21 env steps):" in lines
    assert [line for line in lines if "to the bit" in line] == SAME
    assert "note" not in output
    assert "  4 executors" in output
    assert "an update takes 2 s" in output


@pytest.mark.slow
def test_football():
    code, output, errors = run("--scenario=academy_empty_goal_close", "--steps=60")
    assert code == 0, errors
    assert [line for line in output.splitlines() if "to the bit" in line] == SAME
    assert "  episodes: at most 401 env steps" in output


def test_an_environment_with_history():
    code, output, errors = run("--scenario=synthetic", f"--gin_files={HERE / 'diary.gin'}")
    assert code == 1
    assert errors.startswith("error: episodes are not free of history, so results will not repeat")
    assert len(errors.splitlines()) == 1
    assert "  in a used environment: episode 0 (seed " in output
    assert "differs from its reset on, first in observation" in output
    assert "hts is" in output  # how fast it will be is said all the same


def test_each_of_several_tasks_is_played():
    code, output, _ = run(
        "--scenario=synthetic",
        f"--gin_files={HERE / 'diary.gin'}",
        "--gin_bindings=Trainer.environment = @Tasks()",
        "--gin_bindings=Tasks.environments = (@Synthetic(), @Synthetic(), @Diary())",
        "--episodes=2",
    )
    assert code == 1
    assert "episodes played again (3, " in output
    assert "  in a used environment: episode 2 (seed " in output


def test_an_environment_that_says_so_itself():
    """Its first episode in a new environment is like any other's."""
    code, _, errors = run(
        "--scenario=synthetic",
        f"--gin_files={HERE / 'diary.gin'}",
        "--gin_bindings=Diary.says_so = True",
        "--gin_bindings=Synthetic.episode_steps = 1",
        "--steps=1",
    )
    assert code == 1
    assert "not free of history" in errors


GAMES = """
import dataclasses
import gin
from hts_tf.environments import synthetic

@gin.configurable
@dataclasses.dataclass(frozen=True)
class Boundless(synthetic.Synthetic):
    def make(self):
        game = super().make()
        play = game.step
        game.step = lambda *args: play(*args)._replace(reward=float("inf"))
        return game

@gin.configurable
@dataclasses.dataclass(frozen=True)
class Strict(synthetic.Synthetic):
    def check(self):
        return ["the light is too bright"]
"""


@pytest.fixture
def games(tmp_path):
    (tmp_path / "games.py").write_text(GAMES)
    (tmp_path / "games.gin").write_text("import games\n")
    return [f"--gin_files={tmp_path / 'games.gin'}", "--scenario=synthetic"], [tmp_path]


def test_a_broken_rule(games):
    flags, path = games
    code, _, errors = run(
        *flags, "--gin_bindings=Trainer.environment = @Boundless()", pythonpath=path
    )
    assert code == 1
    assert errors.splitlines() == [
        "error: SyntheticEnvironment broke a rule in env step 0 of its episode: the reward is inf, "
        "which is not finite as a float32 (see docs/your_own_environment.md#what-it-may-not-do)"
    ]


def test_a_checker_of_its_own(games):
    flags, path = games
    code, output, _ = run(*flags, "--gin_bindings=Trainer.environment = @Strict()", pythonpath=path)
    assert code == 0
    assert "its own checker: the light is too bright" in output


REFUSED = [
    ("--scenario=sinthetic", "unknown scenario 'sinthetic'; did you mean synthetic"),
    ("--gin_files=nowhere.gin", "there is no gin file 'nowhere.gin'"),
    ("--gin_bindings=Synthetic.num_actoins = 3", "num_actoins"),
    ("--gin_bindings=Sinthetic.num_actions = 3", "no Sinthetic here; did you mean Synthetic?"),
    ("--gin_bindings=Synthetic.num_actions = 1", "Synthetic.num_actions = 1: must be"),
    ("--gin_bindings=Synthetic.num_actions = -%n", "gin takes no sign here"),
    ("--envs=100000000", "--envs"),
]


@pytest.fixture(scope="module")
def refused():
    """What each of these commands comes to."""
    commands = [["--scenario=synthetic", flag] for flag, _ in REFUSED]
    return refusals.of("hts_tf.check_environment", "check", commands)


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refusals_are_one_line(refused, number, says):
    refusals.check(refused[number], says)


def test_what_is_refused_ends_the_command():
    refusals.check(run("--scenario=synthetic", "more"), "unexpected argument 'more'")


def test_needs_no_tensorflow():
    code = "import sys, hts_tf.check_environment; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def played(*seconds, has_ended=True):
    return Played(0, [], [], list(seconds), has_ended)


def test_resets_belong_to_the_env_steps_before_them():
    episodes = [played(9, 1, 2), played(5, 3, has_ended=False), played(6, 4, 7), played(8, 1)]
    times = check_environment.step_times(episodes)
    np.testing.assert_array_equal(times, [1, 2 + 5, 3, 4, 7 + 8, 1])


@pytest.mark.parametrize(("learning_sec", "sync"), [(0, "1.28"), (1.28, "2.56"), (0.64, "1.92")])
def test_a_forecast_of_even_steps(learning_sec, sync):
    """An interval of 128 steps of 0.01 s is as long in both; learning comes on top in one."""
    line = list(check_environment.forecast(np.full(5, 0.01), 1, 128, learning_sec))[1]
    ratio = float(sync) / 1.28
    assert f"hts 1.28 s, sync {sync} s: hts is {ratio:.2f} times as fast" in line


def test_executors_of_several_environments_step_them_one_after_the_other(monkeypatch):
    monkeypatch.setattr(check_environment.processors, "usable_cores", lambda: 3)
    lines = list(check_environment.forecast(np.full(5, 0.01), 8, 10, 0.0))
    assert "  8 executors: hts 0.1 s, sync 0.1 s" in lines[1]
    assert "  3 executors, as many as there are cores here: hts 0.3 s, sync 0.3 s" in lines[2]


def test_a_forecast_of_many_environments_takes_little_memory(monkeypatch):
    monkeypatch.setattr(check_environment.processors, "usable_cores", lambda: 1)
    tracemalloc.start()
    list(check_environment.forecast(np.full(5, 0.01), 512, 256, 0.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**28
