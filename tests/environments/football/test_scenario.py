"""Scenarios as users write them, dropped into gfootball's folder."""

import collections
import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from football_pair import Pair, purposeful_actions, takes_turns

from hts_tf import errors, seeding
from hts_tf.environments.football import football, scenario, scenarios
from hts_tf.environments.football.scenario import Turns
from tests import command_line
from tests.dropped import drop, dropped

SEED = 'builder._config["game_engine_random_seed"]'


def program(top="", rules="", x="0.6", players=2):
    """Returns the text of a scenario in which some left players stand at x."""
    return f"""
from . import *
{top}

def build_scenario(builder):
  builder.config().game_duration = 100
  {rules or "pass"}
  builder.SetBallPosition(0.62, 0.0)
  builder.SetTeam(Team.e_Left)
  builder.AddPlayer(-1.0, 0.0, e_PlayerRole_GK)
  for index in range({players}):
    builder.AddPlayer({x}, 0.05 * index, e_PlayerRole_CM)
  builder.SetTeam(Team.e_Right)
  builder.AddPlayer(-1.0, 0.0, e_PlayerRole_GK)
"""


def turns(rules=""):
    """Returns the text of a scenario of two equal teams, one of which kicks off."""
    return f"""
from . import *

def build_scenario(builder):
  builder.config().game_duration = 100
  builder.config().left_team_difficulty = builder.config().right_team_difficulty = 0.6
  {rules or "pass"}
  teams = [Team.e_Left, Team.e_Right]
  for kicks_off in True, False:
    builder.SetTeam(teams.pop(builder.EpisodeNumber() % len(teams)))
    builder.AddPlayer(-1.0, 0.0, e_PlayerRole_GK)
    builder.AddPlayer(0.0 if kicks_off else -0.05, 0.02, e_PlayerRole_RM)
    builder.AddPlayer(0.0 if kicks_off else -0.01, -0.02 if kicks_off else 0.2, e_PlayerRole_CF)
"""


# pytest would import what is called test_... itself.
GFOOTBALLS_OWN = [name for name in scenarios.names() if not name.startswith("test_")]
TAKING_TURNS = [name for name in GFOOTBALLS_OWN if takes_turns(name)]

DRAWN_RULES = """for name in "offsides", "deterministic", "end_episode_on_score":
    setattr(builder.config(), name, random.random() < 0.5)"""

# Name -> a scenario whose episodes are functions of their seeds.
PLAYED = {
    "is_deterministic": program(rules="builder.config().deterministic = True"),
    "draws_from_random": program("import random", x="random.uniform(0.0, 0.6)"),
    "draws_from_numpy": program("import numpy as np", x="float(np.random.uniform(0.0, 0.6))"),
    "draws_from_the_seed": program(
        "import random", f"rng = random.Random({SEED})", x="rng.uniform(0.0, 0.6)"
    ),
    "draws_where_it_is_deterministic": program(
        "import random", "builder.config().deterministic = True", x="random.uniform(0.0, 0.6)"
    ),
    "draws_when_imported": program("import random\nX = random.uniform(0.0, 0.6)", x="X"),
    "draws_players": program("import random", players="random.randint(1, 10)"),
    "draws_rules": program("import random", DRAWN_RULES),
    "imports_what_draws_when_imported": program("from .imported import X", x="X"),
    "counts": program("from itertools import count\nCOUNT = count()", x="0.1 * next(COUNT)"),
    "has-an-odd_näme": program(),
    "has_a_dataclass": "from __future__ import annotations\n"
    + program(
        "import dataclasses\n\n@dataclasses.dataclass\nclass Place:\n  x: float\n", x="Place(0.6).x"
    ),
    "turns": turns(),
    "turns_where_it_is_deterministic": turns("builder.config().deterministic = True"),
}
DRAWING = [name for name in PLAYED if name.startswith("draws")]

# Name -> a scenario, and why it cannot be played.
REFUSED = {
    "asks_the_clock": (program("import time", x="time.time() % 0.6"), "different matches"),
    "asks_the_kernel": (
        program("import numpy as np", x="np.random.default_rng().random()"),
        "different matches",
    ),
    "remembers_elsewhere": (
        program("import sys", "sys.count = getattr(sys, 'count', 0) + 1", x="0.01 * sys.count"),
        "different matches",
    ),
    "knows_its_seed": (
        program(x="0.01 * builder._config._values['game_engine_random_seed']"),
        "knows its seed",
    ),
    "draws_duration": (
        program("import random", "builder.config().game_duration = random.randint(20, 200)"),
        "draws game_duration",
    ),
    "has_no_time": (program(rules="builder.config().game_duration = -1"), "game_duration = -1"),
    "has_too_many_players": (program(players=11), "more than 11 players"),
    "draws_too_many_players": (
        program("import random", players="random.randint(9, 11)"),
        "more than 11 players",
    ),
    "controls_all": (
        program(rules="builder.config().control_all_players = True"),
        "control_all_players",
    ),
    "raises": (program(rules="raise ValueError('no such\\nformation')"), "no such formation"),
    "exits": (program("import sys; sys.exit(3)"), "SystemExit: 3"),
    "imports_nothing": (program("import no_such_module"), "no_such_module"),
    "is_no_python": ("def build_scenario(builder:", r"SyntaxError: .*line 1"),
    "is_no_scenario": ("", "build_scenario"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a copy of gfootball that has our scenarios; this process has them, too."""
    folder = tmp_path_factory.mktemp("site")
    refused = {name: text for name, (text, _) in REFUSED.items()}
    imported = {"imported": "import random\nX = random.random()"}
    with dropped(folder, {**PLAYED, **refused, **imported}):
        yield folder


def play(environment, seed):
    """Plays the beginning of an episode; returns a hash of everything it brought."""
    observation = np.zeros((4, 24), np.uint16)
    environment.reset(seed, observation)
    digest = hashlib.sha256(observation.tobytes())
    for action in itertools.islice(purposeful_actions(0), 30):
        result = environment.step(action, observation)
        digest.update(observation.tobytes() + repr(result).encode())
        if result.terminated or result.truncated:
            break
    return digest.hexdigest()


def run_python(code, folder, **flags):
    """Runs a program in a process of its own, which imports the copy of gfootball in a folder."""
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, [folder, command_line.ROOT, here]))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        **flags,
    )


PLAY_ELSEWHERE = """
import json, test_scenario
from hts_tf.environments.football import football
played = {}
for name in reversed(test_scenario.PLAYED):
    environment = football.Football(name).make()
    played[name] = [test_scenario.play(environment, seed) for seed in (5, 7)]
    environment.close()
print(json.dumps(played))
"""


@pytest.fixture(scope="module")
def played_elsewhere(folder):
    """Scenario -> hashes of two episodes, seeds 5 and 7, in another process."""
    return json.loads(run_python(PLAY_ELSEWHERE, folder, check=True).stdout.splitlines()[-1])


@pytest.mark.parametrize("name", PLAYED)
def test_episodes_are_functions_of_their_seeds(name, folder, played_elsewhere):
    config = football.Football(name)
    used, fresh = config.make(), config.make()
    first = [play(used, seed) for seed in (7, 3, 5, 5)]
    again = [play(fresh, seed) for seed in (5, 7, 3)]
    used.close()
    fresh.close()
    seven, three, five, five_again = first
    assert five == five_again
    assert again == [five, seven, three]
    assert played_elsewhere[name] == [five, seven]
    assert (five == seven) == (name == "is_deterministic")


# gfootball imports a scenario only once, and builds its first match before it knows a seed.
@pytest.mark.parametrize(
    "name", sorted({*PLAYED} - {"counts", "draws_when_imported", "draws_from_the_seed"})
)
def test_they_are_those_of_gfootball(name, folder):
    pair = Pair(name)
    for seed in (7, 5, 6, 5):
        pair.play(seed, itertools.islice(purposeful_actions(seed), 30))
    pair.close()


@pytest.mark.parametrize("name", DRAWING)
def test_seeds_differ_in_what_is_drawn(name, folder):
    played = scenario.load(name)
    drawn = [scenario._values(played.setup(seed)) for seed in range(8)]
    assert any(values != drawn[0] for values in drawn)
    assert all(played.setup(seed).drawn for seed in range(8))


def test_scenarios_of_gfootball_draw_nothing_but_turns():
    """So that episodes of the others begin quickly, from the state that is kept."""
    for name in GFOOTBALLS_OWN:
        assert scenario.load(name).setup(3).drawn == (name in TAKING_TURNS)


def places(rules):
    """Returns where the players of both teams begin."""
    teams = rules.left_team, rules.right_team
    return [[scenario._point(player.position) for player in team] for team in teams]


ALL_TURNS = [Turns(number, right_first) for number in (1, 2) for right_first in (False, True)]


def seed_with(turns):
    return next(seed for seed in itertools.count() if Turns.of(seed) == turns)


@pytest.mark.parametrize("name", TAKING_TURNS)
def test_each_team_has_its_turn(name):
    """To be set first, and to be processed first."""
    seeds = map(seed_with, ALL_TURNS)
    setups = [scenario.load(name).setup(seed).config.ScenarioConfig() for seed in seeds]
    assert [rules.reverse_team_processing for rules in setups] == [False, True, False, True]
    right_first, again, left_first, left_again = map(places, setups)
    assert right_first == again
    assert left_first == left_again
    assert right_first == left_first[::-1]
    assert (right_first == left_first) == (name == "1_vs_1_easy")  # both stand in goal


@pytest.mark.parametrize("evaluation", [False, True])
@pytest.mark.parametrize("num_tasks", [1, 2, 4])
def test_turns_are_as_likely_in_all_episodes(evaluation, num_tasks):
    """Seeds' bits are no coins: the last tells training from evaluation, others the task."""
    for task in range(num_tasks):
        counts = collections.Counter(
            Turns.of(
                seeding.episode_seed(0, 0, n, evaluation=evaluation, task=task, num_tasks=num_tasks)
            )
            for n in range(400)
        )
        assert {*counts} == {*ALL_TURNS}
        assert min(counts.values()) > 70  # of 400; 100 are expected


def play_both(game, seed, actions):
    """Plays an episode with a player on each side; returns what each saw and got at each step."""
    environment, observation = game.make(), game.spec.new_observation()
    environment.reset(seed, observation)
    seen = [observation.copy()]
    got = []
    for both in actions:
        result = environment.step(np.array(both), observation)
        seen.append(observation.copy())
        got.append(result.reward)
        if np.any(result.terminated | result.truncated):
            break
    environment.close()
    return np.array(seen), np.array(got)


@pytest.mark.parametrize("representation", ["extracted", "simple115v2", "relative"])
@pytest.mark.parametrize("turns", ALL_TURNS[:2])
def test_with_both_turns_changed_a_match_is_its_mirror_image(folder, turns, representation):
    """So no side is better than the other, over all seeds."""
    settings = {"representation": representation, "left_players": 1, "right_players": 1}
    game = football.Football("turns_where_it_is_deterministic", **settings)
    left, right = purposeful_actions(4), purposeful_actions(5)
    actions = list(itertools.islice(zip(left, right, strict=True), 101))
    mirrored = Turns(3 - turns.number, not turns.right_first)
    seen, got = play_both(game, seed_with(turns), actions)
    mirrored_seen, mirrored_got = play_both(game, seed_with(mirrored), [a[::-1] for a in actions])
    assert len(seen) > 50
    np.testing.assert_array_equal(seen[:, ::-1], mirrored_seen)
    np.testing.assert_array_equal(got[:, ::-1], mirrored_got)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_function_of_the_seed_is_refused(name, folder):
    with pytest.raises(
        errors.ConfigError, match=f"^Football.scenario = '{name}' .*{REFUSED[name][1]}"
    ):
        football.Football(name)


def test_nothing_is_trained_on_what_is_refused(folder, tmp_path):
    workdir = tmp_path / "workdir"
    code, output, error = command_line.run(
        "hts_tf.train", "--scenario=asks_the_clock", f"--workdir={workdir}", pythonpath=[folder]
    )
    assert (code, output) == (2, "")
    assert error.startswith("error: Football.scenario = 'asks_the_clock' sets up different matches")
    assert len(error.splitlines()) == 1
    assert not workdir.exists()


def test_a_name_with_which_gfootball_cannot_be_imported_is_named(tmp_path):
    """Whichever scenario is played: gfootball registers all in its folder with gym."""
    drop(tmp_path, {"it's": program()})
    code = "from hts_tf.environments.football import football; football.Football('academy_corner')"
    error = run_python(code, tmp_path).stderr
    assert (
        "ConfigError: gfootball cannot be imported: Malformed environment ID: GFootball-it's"
        in error
    )


def test_generators_of_the_process_are_left_as_they_were(folder):
    random.seed(1)
    np.random.seed(2)
    expected = random.Random(1).random(), np.random.RandomState(2).random()
    for name in ("draws_from_random", "draws_from_numpy"):
        scenario.load(name).setup(5)
    with pytest.raises(errors.ConfigError):
        football.Football("raises")
    assert (random.random(), np.random.random()) == expected


@pytest.mark.slow
def test_results_do_not_depend_on_who_starts_first(folder, tmp_path):
    """An executor's first episode of a drawn scenario used to be every later one's, too."""
    hashes = set()
    for executors in (1, 2):
        code, output, error = command_line.run(
            "hts_tf.train",
            *command_line.SMALL_FOOTBALL[1:],
            "--gin_bindings=Trainer.total_env_steps = 256",
            "--scenario=draws_from_random",
            f"--gin_bindings=Trainer.num_executors = {executors}",
            f"--workdir={tmp_path / str(executors)}",
            pythonpath=[folder],
        )
        assert code == 0, error
        hashes.add(command_line.parameters_hash(output))
    assert len(hashes) == 1
