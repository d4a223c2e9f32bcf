import hashlib
import itertools
import pickle
import subprocess
import sys

import gin
import numpy as np
import pytest
from football_pair import Pair, purposeful_actions

from hts_tf import errors
from hts_tf.environments.football import football, scenarios

IDLE, RIGHT, SHOT = 0, 5, 12

ACADEMY = [name for name in scenarios.names() if name.startswith("academy_")]


def play(environment, seed, actions, frames=4):
    """Plays one episode; returns a hash of everything it brought."""
    observation = np.zeros((frames, 24), np.uint16)
    environment.reset(seed, observation)
    digest = hashlib.sha256(observation.tobytes())
    for action in actions:
        result = environment.step(action, observation)
        digest.update(observation.tobytes() + repr(result).encode())
        if result.terminated or result.truncated:
            break
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("scenario", "rewards", "frames"),
    [
        ("academy_empty_goal_close", "scoring,checkpoints", 4),
        ("academy_3_vs_1_with_keeper", "scoring", 4),
        ("academy_pass_and_shoot_with_keeper", "scoring,checkpoints", 1),
    ],
)
def test_episodes_equal_gfootballs(scenario, rewards, frames):
    pair = Pair(scenario, rewards, frames)
    for seed in range(4):
        pair.play(seed, itertools.islice(purposeful_actions(seed), 100))
    pair.close()


def test_scoring_episode_returns_two_and_scores_one():
    pair = Pair("academy_empty_goal_close")
    results = pair.play(seed=0, actions=itertools.chain([RIGHT] * 10, itertools.repeat(SHOT)))
    pair.close()
    assert results[-1].terminated
    assert sum(result.score for result in results) == 1
    assert sum(result.reward for result in results) == pytest.approx(2)


def test_checkpoints_are_weighted_but_goals_and_scores_are_not():
    scenario = "academy_empty_goal_close"

    def episode(*args, **settings):
        game = football.Football(scenario, *args, **settings).make()
        observation = np.zeros((4, 24), np.uint16)
        game.reset(0, observation)
        results = []
        actions = itertools.chain([RIGHT] * 10, itertools.repeat(SHOT))
        while not (results and results[-1].is_over):
            results.append(game.step(next(actions), observation))
        game.close()
        return results

    plain, double = episode(), episode(checkpoint_weight=2.0)
    assert episode(checkpoint_weight=1.0) == plain
    assert episode(checkpoint_weight=0.0) == episode("scoring")
    assert sum(result.reward for result in double) == pytest.approx(3)
    for one, two in zip(plain, double, strict=True):
        assert two.reward - two.score == pytest.approx(2 * (one.reward - one.score))
        assert two[1:] == one[1:]


@pytest.mark.parametrize("seed", [0, 2])
def test_set_pieces_equal_gfootballs(seed):
    """An idle agent is made to kick off, after 20 steps; seeds differ in who kicks off."""
    pair = Pair("11_vs_11_stochastic")
    pair.play(seed, [IDLE] * 45)
    pair.close()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [*ACADEMY, "11_vs_11_stochastic"])
def test_many_episodes_equal_gfootballs(scenario):
    pair = Pair(scenario)
    budget = 200
    for seed in itertools.count(101):
        actions = purposeful_actions(seed) if seed % 4 else itertools.repeat(IDLE)
        budget -= len(pair.play(seed, itertools.islice(actions, budget)))
        if not budget:
            break
    pair.close()


def test_time_limit_truncates():
    """A player who stands still while nobody is near keeps the ball until time is up."""
    pair = Pair("academy_run_to_score")
    results = pair.play(seed=1, actions=itertools.repeat(IDLE))
    pair.close()
    assert len(results) == pair.spec.max_episode_steps
    assert results[-1].truncated
    assert not results[-1].terminated
    assert not any(result.truncated or result.terminated for result in results[:-1])


HISTORY_SCENARIOS = ["academy_3_vs_1_with_keeper", "11_vs_11_stochastic"]


@pytest.mark.parametrize("scenario", HISTORY_SCENARIOS)
def test_episodes_are_free_of_history(scenario):
    config = football.Football(scenario)
    actions = list(itertools.islice(purposeful_actions(0), 40))
    fresh, used = config.make(), config.make()
    for seed in (11, 12, 4):
        play(used, seed, actions[seed:])
    expected = play(fresh, 5, actions)
    assert play(used, 5, actions) == expected
    assert play(used, 5, actions) == expected
    for seed in (4, 6, 7, 1):
        assert play(used, seed, actions) != expected
    fresh.close()
    used.close()


def test_environments_of_one_process_do_not_disturb_each_other():
    configs = [football.Football("academy_corner"), football.Football("academy_run_to_score")]
    actions = list(itertools.islice(purposeful_actions(0), 20))
    environments = [config.make() for config in configs]
    observations = np.zeros((2, 2, 21, 4, 24), np.uint16)
    for index, environment in enumerate(environments):
        environment.reset(3, observations[0, index, 0])
        for t, action in enumerate(actions):
            environment.step(action, observations[0, index, t + 1])
    for index, environment in enumerate(environments):
        environment.reset(3, observations[1, index, 0])
    for t, action in enumerate(actions):
        for index, environment in enumerate(environments):
            environment.step(action, observations[1, index, t + 1])
    np.testing.assert_array_equal(observations[0], observations[1])
    for environment in environments:
        environment.close()


FRESH_PROCESS = """
import sys
import numpy as np
from hts_tf import errors
from hts_tf.environments.football import football

assert "gfootball" not in sys.modules, "importing the module imports gfootball"
environment = football.Football("academy_3_vs_1_with_keeper").make()
observation = np.zeros((4, 24), np.uint16)
environment.reset(5, observation)
for _ in range(10):
    environment.step(5, observation)
print(observation.tobytes().hex())
assert not any(name.startswith("tensorflow") for name in sys.modules), "imports TensorFlow"
"""


def test_fresh_process_without_tensorflow_plays_the_same():
    process = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert not process.stderr

    environment = football.Football("academy_3_vs_1_with_keeper").make()
    observation = np.zeros((4, 24), np.uint16)
    environment.reset(5, observation)
    for _ in range(10):
        environment.step(RIGHT, observation)
    environment.close()
    assert process.stdout.strip().endswith(observation.tobytes().hex())


def test_step_needs_a_running_episode():
    environment = football.Football("academy_empty_goal_close").make()
    observation = np.zeros((4, 24), np.uint16)
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        environment.step(IDLE, observation)
    play(environment, 0, itertools.chain([RIGHT] * 10, itertools.repeat(SHOT)))
    with pytest.raises(RuntimeError, match=r"reset\(\)"):
        environment.step(IDLE, observation)
    environment.close()
    environment.close()


def test_spec():
    spec = football.Football("academy_corner", frames=2).spec
    assert spec.observation.shape == (2, 24)
    assert spec.action.num_values == 19
    assert spec.max_episode_steps == 401
    assert football.Football("11_vs_11_stochastic").spec.max_episode_steps == 3001


@pytest.mark.parametrize("frames", [1, 8])
def test_config_survives_pickling(frames):
    config = football.Football("academy_corner", "scoring", frames)
    assert pickle.loads(pickle.dumps(config)) == config


def test_config_is_bound_by_gin():
    gin.clear_config()
    gin.parse_config("Football.scenario = 'academy_corner'\nFootball.rewards = 'scoring'")
    try:
        assert football.Football() == football.Football("academy_corner", "scoring")
    finally:
        gin.clear_config()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"scenario": "academy_3_vs_1"},
            "Football.scenario.*did you mean academy_3_vs_1_with_keeper",
        ),
        ({"scenario": "tests"}, r"Football.scenario"),
        ({"scenario": None}, r"Football.scenario"),
        ({"rewards": "checkpoints"}, r"Football.rewards"),
        ({"frames": 0}, r"Football.frames"),
        ({"frames": 9}, r"Football.frames"),
        ({"frames": 1.5}, r"Football.frames"),
        ({"checkpoint_weight": -1.0}, r"Football.checkpoint_weight"),
        ({"checkpoint_weight": 2.0, "rewards": "scoring"}, "pays for no checkpoints"),
    ],
)
def test_bad_config_names_the_binding(attributes, message):
    with pytest.raises(errors.ConfigError, match=message):
        football.Football(**{"scenario": "academy_corner", **attributes})
