import itertools
import re
import subprocess
import sys
import warnings

import gin
import numpy as np
import pytest
from football_pair import make_stock, purposeful_actions, reset_stock

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils import env_checker  # noqa: E402

import hts_tf.football  # noqa: E402
from hts_tf import errors  # noqa: E402
from hts_tf.environments.football import football, scenarios  # noqa: E402
from tests import command_line  # noqa: E402
from tests.pixel_maps import to_dense  # noqa: E402

PAGE = command_line.ROOT / "docs" / "football.md"
GAME = "hts_tf/academy_3_vs_1_with_keeper-v0"
REPRESENTATIONS = ["extracted", "positions", "simple115v2", "relative"]


def make(environment_id=GAME, **arguments):
    return gymnasium.make(environment_id, **arguments)


def play(environment, seed, actions):
    """Plays one episode; returns all that it brought."""
    observation, _ = environment.reset(seed=seed)
    seen = [observation.tobytes()]
    for action in actions:
        observation, *rest = environment.step(action)
        seen.append((observation.tobytes(), *rest))
        if rest[1] or rest[2]:
            break
    return seen


def test_what_a_run_binds_in_this_process_is_not_for_who_makes_one(clean_gin):
    """As after `hts_tf.load`."""
    expected = make().unwrapped._offered.game
    gin.parse_config(
        """
        Football.action_mask = True
        Football.shots_in_front = True
        Football.right_difficulty = 0.05
        Football.shared_reward = True
        Football.checkpoint_weight = 0.5
        """
    )
    assert make().unwrapped._offered.game == expected


def test_3d_pictures_without_pictures_are_refused():
    with pytest.raises(errors.ConfigError, match="render_3d needs render_mode"):
        make(render_3d=True)


def test_all_scenarios_are_registered_once():
    ids = {name for name in gymnasium.registry if name.startswith("hts_tf/")}
    assert ids == {f"hts_tf/{name}-v0" for name in scenarios.names()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hts_tf.football.register_scenarios()


REGISTERING = """
import sys
import gymnasium
before = set(sys.modules)
import hts_tf.football
print(*sorted(set(sys.modules) - before))
"""


def test_registering_imports_next_to_nothing():
    command = [sys.executable, "-c", REGISTERING]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "hts_tf.football" in output
    assert [name for name in output if not name.startswith("hts_tf")] in ([], ["pkgutil"])
    assert "hts_tf.environments.football.environment" not in output


def test_the_guides_lines_play():
    [lines] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    code = f"{lines}\nprint(observation.shape, info)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == "(72, 96, 16) {'score': 0.0, 'score_reward': 0}"


def test_one_string_is_enough_in_a_fresh_process():
    code = f"""
import sys
import gymnasium
environment = gymnasium.make("hts_tf.football:{GAME}", representation="simple115v2")
print(environment.reset(seed=3)[0].tobytes().hex())
assert not any(name.startswith("tensorflow") for name in sys.modules), "imports TensorFlow"
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    environment = make(representation="simple115v2")
    assert process.stdout.strip() == environment.reset(seed=3)[0].tobytes().hex()
    environment.close()


def test_one_string_is_enough_for_a_scenario():
    code = """
import sys
import hts_tf.system.quiet_tensorflow
from hts_tf import config, settings
config.load(sys.argv[1], "hts_ppo", gin_bindings=["Gymnasium.max_episode_steps = 401"])
print(config.environment().spec.max_episode_steps)
"""
    found = command_line.run("tests.program", code, f"hts_tf.football:{GAME}")
    assert found == (0, "401\n", "")


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_gymnasiums_checker_finds_nothing(representation):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if representation in ("simple115v2", "relative"):  # nothing bounds its numbers
            warnings.filterwarnings("ignore", ".*Box observation space m.*imum value is -?inf.*")
        environment = make(representation=representation)
        env_checker.check_env(environment.unwrapped)
        environment.close()


@pytest.mark.parametrize(
    ("representation", "frames"), [("extracted", 4), ("extracted", 1), ("simple115v2", 1)]
)
def test_episodes_equal_gfootballs(representation, frames):
    ours = make(representation=representation, frames=frames)
    stock = make_stock(
        "academy_3_vs_1_with_keeper", "scoring,checkpoints", frames > 1, representation
    )
    assert ours.observation_space.shape == stock.observation_space.shape
    for seed in range(3):
        np.testing.assert_array_equal(ours.reset(seed=seed)[0], reset_stock(stock, seed))
        for action in itertools.islice(purposeful_actions(seed), 100):
            observation, reward, terminated, truncated, info = ours.step(action)
            stock_observation, stock_reward, done, stock_info = stock.step(action)
            assert observation.dtype == stock_observation.dtype
            np.testing.assert_array_equal(observation, stock_observation)
            assert reward == float(stock_reward)
            assert terminated + truncated == done
            assert info["score_reward"] == info["score"] == stock_info["score_reward"]
            if done:
                break
    ours.close()
    stock.close()


def test_several_players_equal_gfootballs():
    ours = make(left_players=3, right_players=1, representation="simple115v2")
    stock = make_stock(
        "academy_3_vs_1_with_keeper", "scoring,checkpoints", False, "simple115v2", 3, 1
    )
    assert ours.observation_space.shape == stock.observation_space.shape
    np.testing.assert_array_equal(ours.reset(seed=5)[0], reset_stock(stock, 5))
    for action in itertools.islice(purposeful_actions(5), 60):
        actions = [action, 0, 5, 1]
        assert ours.action_space.contains(np.array(actions))
        observation, reward, terminated, truncated, info = ours.step(actions)
        stock_observation, stock_rewards, done, _ = stock.step(actions)
        np.testing.assert_array_equal(observation, stock_observation)
        np.testing.assert_array_equal(info["rewards"], stock_rewards)
        assert reward == np.mean(stock_rewards)
        assert terminated + truncated == done
        if done:
            break
    ours.close()
    stock.close()


def test_positions_are_what_is_stored():
    spec = football.Football("academy_3_vs_1_with_keeper", frames=2).spec.observation
    positions = make(representation="positions", frames=2)
    images = make(representation="extracted", frames=2)
    assert positions.observation_space.shape == spec.shape
    encoded, image = positions.reset(seed=1)[0], images.reset(seed=1)[0]
    for action in itertools.islice(purposeful_actions(1), 10):
        np.testing.assert_array_equal(to_dense(spec, encoded) * 255, image)
        encoded, image = positions.step(action)[0], images.step(action)[0]
    positions.close()
    images.close()


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_seed_and_actions_determine_an_episode(representation):
    fresh, used = make(representation=representation), make(representation=representation)
    actions = list(itertools.islice(purposeful_actions(0), 40))
    for seed in (11, 12):
        play(used, seed, actions[seed:])
    expected = play(fresh, 5, actions)
    assert play(used, 5, actions) == expected
    assert play(used, 6, actions) != expected
    fresh.close()
    used.close()


def test_episodes_without_a_seed_follow_from_the_last_one():
    environment = make()
    seeds = []
    for _ in range(2):
        assert environment.reset(seed=7)[1] == {"seed": 7}
        seeds.append([environment.reset()[1]["seed"] for _ in range(3)])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    first, info = environment.reset()
    np.testing.assert_array_equal(environment.reset(seed=info["seed"])[0], first)
    assert environment.reset(seed=2**31 + 7)[1] == {"seed": 7}
    environment.close()


def test_pictures_change_nothing():
    plain, shown = make(), make(render_mode="rgb_array")
    actions = list(itertools.islice(purposeful_actions(0), 10))
    assert play(plain, 0, actions) == play(shown, 0, actions)
    picture = shown.render()
    assert (picture.shape, picture.dtype) == ((640, 944, 3), np.uint8)
    shown.reset(seed=1)
    assert (shown.render() != picture).any()
    assert plain.unwrapped.render() is None
    plain.close()
    shown.close()


def test_time_limit_truncates():
    environment = make("hts_tf/academy_run_to_score-v0", representation="positions")
    *_, (_, _, terminated, truncated, _) = play(environment, 1, itertools.repeat(0))
    assert (terminated, truncated) == (False, True)
    environment.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"representation": "raw"}, "representation = 'raw' is none of extracted, positions"),
        ({"rewards": "checkpoints"}, "Football.rewards"),
        ({"frames": 9}, "Football.frames"),
        ({"left_players": 5}, "has 4 players to control in its left team"),
        ({"left_players": 12}, "Football.left_players = 12"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(errors.ConfigError, match=message):
        make(**arguments)


@pytest.mark.parametrize("action", [-1, 19, 0.5, [1, 2], [1, 2, 3, 4], [1, 2, 19], None])
def test_actions_that_there_are_not(action):
    environment = make(left_players=3).unwrapped
    environment.reset(seed=0)
    with pytest.raises(ValueError, match=r"the action is .*, not Discrete\(19\) of 3 player"):
        environment.step(action)
    environment.step([1, 2, 3])
    environment.close()


def test_an_unknown_scenario_is_gymnasiums_to_refuse():
    with pytest.raises(gymnasium.error.NameNotFound, match="academy_3_vs_1_with_keeper"):
        make("hts_tf/academy_3_vs_1_with_keper-v0")
