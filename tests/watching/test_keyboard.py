import numpy as np
import pytest

from hts_tf import errors, specs
from hts_tf.watching import keyboard

FOOTBALL = [
    *("idle", "left", "top_left", "top", "top_right", "right", "bottom_right", "bottom"),
    *("bottom_left", "long_pass", "high_pass", "short_pass", "shot", "sprint"),
    *("release_direction", "release_sprint", "sliding", "dribble", "release_dribble"),
]


def of_names(names):
    return keyboard.of(specs.DiscreteSpec(num_values=len(names)), lambda n: names[n])


def test_football():
    found = of_names(FOOTBALL)
    assert found.idle == 0
    assert sorted(found.actions.values()) == list(range(1, 19))
    assert found.actions["up"] == FOOTBALL.index("top")
    assert found.actions["d"] == FOOTBALL.index("shot")
    assert found.names["s"] == "short pass"


@pytest.mark.parametrize("number", [2, 3, 4, 7, 20])
def test_actions_without_names(number):
    found = of_names([str(n) for n in range(number)])
    assert found.idle is None
    assert {*found.actions.values()} == {*range(number)}
    assert all(len(key) == 1 or key in ("left", "right") for key in found.actions)
    if number == 2:
        assert (found.actions["left"], found.actions["right"]) == (0, 1)
    assert "p" not in found.actions and "escape" not in found.actions


def test_atari():
    found = of_names(["NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPFIRE"])
    assert (found.idle, found.actions["space"], found.actions["e"]) == (0, 1, 6)
    assert {*found.actions.values()} == {*range(1, 8)}


def test_numbers():
    action = specs.BoxSpec((2,), low=(-1.0, -np.inf), high=(3.0, np.inf))
    found = keyboard.of(action, str)
    assert found.idle.tolist() == [0.0, 0.0]
    assert found.actions["left"].tolist() == [-1.0, 0.0]
    assert found.actions["right"].tolist() == [3.0, 0.0]
    assert found.actions["up"].tolist() == [0.0, 1.0]
    assert found.actions["up"].dtype == np.float32


def test_numbers_that_tanh_bounds():
    action = specs.BoxSpec((1,), low=(-1.0,), high=(3.0,), bounded_by="tanh")
    found = keyboard.of(action, str)
    assert action.bounded(found.actions["left"]) == -1.0
    assert action.bounded(found.actions["right"]) == 3.0
    assert found.names["right"] == "number 1: 3"


@pytest.mark.parametrize(
    "action",
    [
        specs.DiscreteSpec(num_values=100),
        specs.BoxSpec((17,), low=(-1.0,) * 17, high=(1.0,) * 17),
        specs.MultiDiscreteSpec((2,), num_values=(3, 3)),
    ],
)
def test_what_no_keyboard_can_play(action):
    with pytest.raises(errors.ConfigError, match="keyboard"):
        keyboard.of(action, str)
