from types import SimpleNamespace

import pytest
from PIL import Image

from hts_tf import specs
from hts_tf.environments import base
from hts_tf.watching.game import Game


class Shown(base.Environment):
    """What every one of these games has."""

    title, fps = "shown", None

    def picture(self):
        return Image.new("RGB", (4, 4))

    def close(self):
        pass


class OneEnvStep(Shown):
    def reset(self, seed, observation):
        observation[...] = 0

    def step(self, action, observation):
        observation[...] = 1
        return base.StepResult(1.0, 1.0, terminated=True, truncated=False)

    def action_name(self, action):
        return str(action)


class Masked(Shown):
    permitted = ([False, True, True], [True, True, False], [False, False, True], [True] * 3)

    def __init__(self, names):
        self._names = names
        self.played = []

    def reset(self, seed, observation):
        self._show(observation)

    def step(self, action, observation):
        self.played.append(action)
        self._show(observation)
        over = len(self.played) == 3
        return base.StepResult(0.0, 0.0, terminated=over, truncated=False)

    def _show(self, observation):
        observation["seen"][...] = 0
        observation["action_mask"][...] = self.permitted[len(self.played)]

    def action_name(self, action):
        return self._names[action]


class Recipe:
    def __init__(self, shown, spec):
        self._shown, self.spec = shown, spec

    def make(self):
        return self._shown

    def watch(self, render=False):
        return self._shown


def stage(*keys):
    """Nobody sees anything; keys are pressed one after the other."""
    pressed = iter(keys)
    return SimpleNamespace(show=lambda picture, lines: None, pressed=lambda: next(pressed))


@pytest.mark.parametrize(("key", "has_left"), [("escape", True), ("x", False)])
def test_a_key_when_the_episode_is_over(key, has_left):
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((1,), "float32"), specs.DiscreteSpec(num_values=2), max_episode_steps=1
    )
    game = Game(Recipe(OneEnvStep(), spec), None)
    said = game.play(0, stage(None, None, key), fps=1000.0)
    assert (said, game.has_left) == ("score 1, return 1.00, 1 env steps", has_left)


MASKED = specs.EnvironmentSpec(
    {"seen": specs.ArraySpec((1,), "float32"), "action_mask": specs.ArraySpec((3,), "bool")},
    specs.DiscreteSpec(num_values=3),
    max_episode_steps=3,
)


@pytest.mark.parametrize(("names", "played"), [("1,x,2", [1, 0, 2]), ("1,noop,2", [1, 1, 2])])
def test_what_a_mask_forbids_is_not_played(names, played):
    masked = Masked(names.split(","))
    Game(Recipe(masked, MASKED), None).play(0, stage(None, "2", "1", "escape"), fps=1000.0)
    assert masked.played == played


def test_a_pause_lasts_until_another_key():
    masked = Masked(["1", "noop", "2"])
    keys = "p", None, "2", None, None, "escape"
    Game(Recipe(masked, MASKED), None).play(0, stage(*keys), fps=1000.0)
    assert masked.played == [2, 1, 2]
