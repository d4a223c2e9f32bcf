"""Atari games, by atari.gin's settings."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from hts_tf import config, settings  # noqa: F401  gin configurables
from hts_tf.environments import checked
from hts_tf.environments.gymnasiums import atari

PLAY = """
import sys, hashlib, warnings
import numpy as np
from hts_tf.environments import checked
from hts_tf.environments.gymnasiums.gymnasium import Gymnasium

def digest(environment, seed, steps=200):
    shown, hashed = np.zeros((84, 84, 4), np.uint8), hashlib.sha256()
    environment.reset(seed, shown)
    random = np.random.default_rng(seed)
    for _ in range(steps):
        hashed.update(shown.tobytes())
        result = environment.step(int(random.integers(4)), shown)
        hashed.update(repr(result).encode())
        if result.terminated:
            break
    return hashed.hexdigest()
"""


def made(game, *bindings):
    config.load(f"ALE/{game}-v5", "hts_ppo", gin_bindings=bindings)
    return config.environment()


@pytest.mark.slow
@pytest.mark.parametrize("game", ["Pong", "Breakout"])
def test_episodes_are_free_of_history(game, clean_gin):
    place = {}
    exec(PLAY, place)
    digest = place["digest"]
    recipe = made(game)
    used, other = checked.make(recipe), checked.make(recipe)
    first = digest(used, 5)
    assert digest(used, 6) != first
    assert digest(used, 5) == first, "after others"
    assert digest(other, 5) == first, "in another"
    program = f"{PLAY}\nprint(digest(checked.make({recipe!r}), 5))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == first, f"in another process; {found.stderr}"


def test_settings_are_those_of_the_paper(clean_gin):
    recipe = made("Pong")
    assert recipe.spec.observation.shape == (84, 84, 4)
    assert recipe.spec.max_episode_steps == 27000
    environment = recipe.make()
    game = environment.env.unwrapped
    assert game.ale.getFloat("repeat_action_probability") == 0
    shown = np.zeros((84, 84, 4), np.uint8)
    environment.reset(0, shown)
    before = game.ale.getEpisodeFrameNumber()
    assert 1 + 8 <= before <= 30 + 8, "no-ops, FIRE and the action after it"
    environment.step(0, shown)
    assert game.ale.getEpisodeFrameNumber() == before + 4


def test_grey_frames_do_not_depend_on_what_the_game_shows_by_itself(clean_gin):
    shown = []
    for kind in ("grayscale", "rgb"):
        kwargs = {"frameskip": 1, "repeat_action_probability": 0.0, "obs_type": kind}
        recipe = made("Breakout", f"Gymnasium.kwargs = {kwargs}")
        environment = recipe.make()
        array = np.zeros((84, 84, 4), np.uint8)
        environment.reset(1, array)
        for _ in range(5):
            environment.step(2, array)
        shown.append(array)
    assert (shown[0] == shown[1]).all()
    assert shown[0].any()


def test_losing_a_life_does_not_end_an_episode(clean_gin):
    recipe = made("Breakout")
    environment = recipe.make()
    shown = np.zeros((84, 84, 4), np.uint8)
    environment.reset(0, shown)
    lives = environment.env.unwrapped.ale.lives
    assert lives() == 5
    while lives() == 5:
        assert not environment.step(1, shown).terminated
    environment.close()


class Game(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(99)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, meanings, length=99):
        self.meanings, self.length = meanings, length

    def get_action_meanings(self):
        return self.meanings

    def reset(self, *, seed=None, options=None):
        self.actions = []
        return 0, {"seed": seed}

    def step(self, action):
        self.actions.append(action)
        return len(self.actions), -7, len(self.actions) >= self.length, False, {}


def test_fire_reset():
    game = Game(["NOOP", "FIRE", "RIGHT"])
    wrapped = atari.FireReset(game)
    assert wrapped.reset(seed=3)[0] == 2
    assert game.actions == [1, 2]
    assert wrapped.step(0)[0] == 3
    for meanings in (["NOOP", "RIGHT", "LEFT"], ["NOOP", "FIRE"]):
        game = Game(meanings)
        assert atari.FireReset(game).reset(seed=3)[0] == 0
        assert game.actions == []


@pytest.mark.parametrize("length", [1, 2])
def test_fire_reset_of_a_game_that_is_over_at_once(length):
    game = Game(["NOOP", "FIRE", "RIGHT"], length)
    assert atari.FireReset(game).reset(seed=3) == (0, {"seed": 3})
    assert game.actions == []


def test_rewards_by_their_signs():
    wrapped = atari.SignReward(Game([]))
    wrapped.reset()
    assert wrapped.step(0)[1] == -1.0
    assert [wrapped.reward(x) for x in (0, 0.2, 500, -3)] == [0.0, 1.0, 1.0, -1.0]
