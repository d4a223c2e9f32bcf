import numpy as np
import pytest

from hts_tf import errors, specs
from hts_tf.opponents.scripted import Always, Scripted, choose

SPEC = specs.EnvironmentSpec(
    specs.ArraySpec((1,), "float32"), specs.DiscreteSpec(num_values=3), max_episode_steps=1
)


def test_it_does_the_same_where_that_is_permitted():
    mask = np.array([[True, True, True], [True, False, False], [False, True, False], [False] * 3])
    observation = {"seen": np.zeros((4, 1), np.float32), specs.ACTION_MASK: mask}
    found = Always(SPEC, action=2).act(observation, np.zeros((4, 3)))
    assert found.tolist() == [2, 0, 1, 0]
    assert found.dtype == SPEC.action.dtype
    without = Always(SPEC, action=2).act(observation["seen"], np.zeros((4, 3)))
    assert without.tolist() == [2] * 4


class Told(Scripted):
    """Chooses what the test says."""

    def act(self, observation, noise):
        return self.chosen


def choose_of_three(chosen, observation):
    opponent = Told(SPEC)
    opponent.chosen = chosen
    return choose(opponent, SPEC.action, observation, np.zeros((2, 3)))


@pytest.mark.parametrize("chosen", [[0, 2], np.array([0, 2], np.int64), np.array([0, 2], np.uint8)])
def test_whole_numbers_of_any_kind_are_actions(chosen):
    assert choose_of_three(chosen, np.zeros((2, 1))).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ([0.0, 2.7], r"Told\.act returned float64 \(2,\), not uint8 \(2,\)"),
        ([1], r"returned int64 \(1,\), not uint8 \(2,\)"),
        ([0, -1], "returned action -1, but the environment has only 3 actions"),
        ([3, 0], "returned action 3"),
        ([0, 1], "returned action 1, which the mask does not permit"),
    ],
)
def test_what_is_no_action_is_refused(chosen, says):
    mask = np.array([[True, True, True], [True, False, True]])
    with pytest.raises(errors.ConfigError, match=says):
        choose_of_three(chosen, {"seen": np.zeros((2, 1)), specs.ACTION_MASK: mask})


def test_of_who_has_left_nothing_is_asked():
    mask = np.array([[True, True, True], [False, False, False]])
    observation = {"seen": np.zeros((2, 1)), specs.ACTION_MASK: mask}
    assert choose_of_three([2, 1], observation).tolist() == [2, 1]
