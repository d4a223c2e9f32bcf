import dataclasses
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import specs, trees
from hts_tf.environments import base, checked, synthetic

SHOWN = {"float32": 0.5, "float64": -2.0, "float16": 1.0, "bool": True, "uint8": 45, "int64": -3}
TREE = {
    "picture": specs.ArraySpec((3, 4), "uint8"),
    "deep": {"flag": specs.ArraySpec((), "bool"), "speed": specs.ArraySpec((2,), "float64")},
}


class Puppet(base.Environment):
    """Does what it is told: `show` writes observations, `result` is what steps return."""

    def __init__(self, show, result=None):
        self.show = show
        self.result = result or base.StepResult(0.0, 0.0, False, False)

    def reset(self, seed, observation):
        self.show(observation)

    def step(self, action, observation):
        self.show(observation)
        return self.result

    def close(self):
        pass


def show_nothing(observation):
    pass


def show_all(observation):
    for _, array in trees.named(observation):
        array[...] = SHOWN[array.dtype.name]


def make(observation, show=show_all, result=None, max_episode_steps=1000):
    spec = specs.EnvironmentSpec(observation, specs.DiscreteSpec(num_values=2), max_episode_steps)
    environment = checked.Checked(Puppet(show, result), spec)
    return environment, trees.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), observation)


def step(result):
    environment, observation = make(specs.ArraySpec((2,), "float32"), result=result)
    environment.reset(0, observation)
    return environment.step(1, observation)


@pytest.mark.parametrize("dtype", SHOWN)
@pytest.mark.parametrize("shape", [(), (1,), (9,), (3, 4)])
def test_what_is_written_is_left_as_it_is(dtype, shape):
    environment, observation = make(specs.ArraySpec(shape, dtype))
    environment.reset(0, observation)
    for _ in range(20):
        assert environment.step(0, observation)[:4] == (0.0, 0.0, False, False)
        assert (observation == SHOWN[dtype]).all()


@pytest.mark.parametrize("dtype", SHOWN)
@pytest.mark.parametrize("shape", [(), (1,), (9,), (3, 4)])
def test_what_is_not_written_is_refused(dtype, shape):
    environment, observation = make(specs.ArraySpec(shape, dtype), show_nothing)
    # One small whole number may be there by chance; not again and again.
    calls = 0
    with pytest.raises(checked.ProtocolError, match=r"the observation .*was not written"):
        environment.reset(0, observation)
        for calls in range(1, 9):  # noqa: B007
            environment.step(0, observation)
    is_whole = dtype in ("uint8", "int64")
    assert calls == (max(0, 8 // observation.nbytes - 1) if is_whole else 0)


@pytest.mark.parametrize("shape", [(), (9,), (84, 84)])
def test_no_number_that_stays_the_same_is_taken_for_one_that_was_not_written(shape):
    spec = specs.ArraySpec(shape, "uint8")
    for value in range(256):
        environment, observation = make(spec, lambda array, value=value: array.fill(value))
        environment.reset(0, observation)
        for _ in range(20):
            environment.step(0, observation)


@pytest.mark.parametrize("missing", ["picture", "deep/flag", "deep/speed"])
def test_of_a_tree_every_array_has_to_be_written(missing):
    def show(observation):
        for name, array in trees.named(observation):
            if name != missing:
                array[...] = SHOWN[array.dtype.name]

    environment, observation = make(TREE)
    environment.reset(0, observation)
    environment, observation = make(TREE, show)
    with pytest.raises(checked.ProtocolError, match=f"observation/{missing} .*was not written"):
        environment.reset(0, observation)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_observation_that_is_not_finite_is_refused(dtype, value):
    def show(array):
        array.fill(1.0)
        array[1, 2] = value

    environment, observation = make(specs.ArraySpec((3, 4), dtype), show)
    with pytest.raises(checked.ProtocolError, match="nan" if math.isnan(value) else "inf"):
        environment.reset(0, observation)


@pytest.mark.parametrize(
    ("spec", "last", "beyond"),
    [
        (specs.DiscreteSpec(num_values=5), 4, 5),
        (specs.DiscreteSpec(num_values=5, dtype="int64"), 0, -1),
        (specs.DiscreteSpec((3,), num_values=5), [4, 0, 4], [0, 5, 0]),
        (specs.MultiDiscreteSpec(num_values=(2, 9)), [1, 8], [2, 0]),
    ],
)
def test_of_several_values_it_has_to_be_one(spec, last, beyond):
    def show(array):
        array[...] = shown

    environment, observation = make(spec, show)
    shown = last
    environment.reset(0, observation)
    shown = beyond
    with pytest.raises(checked.ProtocolError, match=r"observation holds .* values, from 0 on"):
        environment.step(0, observation)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_numbers_are_numbers(dtype):
    """As float32, which networks make of them."""
    largest = min(float(np.finfo(each).max) for each in (dtype, "float32"))
    environment, observation = make(specs.ArraySpec((9,), dtype), lambda a: a.fill(largest))
    environment.reset(0, observation)
    assert (observation == largest).all()


def test_what_networks_cannot_have_as_float32_is_refused():
    environment, observation = make(specs.ArraySpec((9,), "float64"), lambda a: a.fill(-4e38))
    with pytest.raises(checked.ProtocolError, match=r"holds 4e\+38, which is not finite as"):
        environment.reset(0, observation)


class _Leaving:
    """Ends the program, in one of its methods."""

    def __init__(self, when):
        self._when = when
        self._end("init")

    def _end(self, method):
        if method == self._when:
            sys.exit(0)

    def reset(self, seed, observation):
        self._end("reset")
        observation.fill(0.0)

    def step(self, action, observation):
        self._end("step")
        observation.fill(0.0)
        return base.StepResult(0.0, 0.0, False, False)

    def close(self):
        self._end("close")
        raise OSError("no such connection")


@dataclasses.dataclass(frozen=True)
class _Leaver:
    when: str = ""
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((2,), "float32"), specs.DiscreteSpec(num_values=2), 5
    )

    def make(self):
        return _Leaving(self.when)


@pytest.mark.parametrize("when", ["init", "reset", "step"])
def test_one_that_would_end_the_program_is_refused(when):
    observation = np.zeros(2, np.float32)
    with pytest.raises(checked.ProtocolError, match=r"it calls sys\.exit\(0\)"):
        environment = checked.make(_Leaver(when))
        environment.reset(0, observation)
        environment.step(0, observation)


@pytest.mark.parametrize("when", ["", "close"])
def test_one_that_fails_as_it_is_closed_has_been_played_all_the_same(capfd, when):
    checked.make(_Leaver(when)).close()
    assert "_Leaving failed as it was closed, which changes nothing: " in capfd.readouterr().err


def test_terminated_and_truncated_counts_as_terminated():
    assert step((0.0, 0.0, True, True))[:4] == (0.0, 0.0, True, False)
    assert step((0.0, 0.0, np.True_, np.True_))[:4] == (0.0, 0.0, True, False)
    assert step((0.0, 0.0, False, True))[:4] == (0.0, 0.0, False, True)


@pytest.mark.parametrize(
    "number",
    [1.5, np.float32(1.5), np.float64(1.5), np.array(1.5), np.array([1.5]), np.array([[1.5]])],
)
@pytest.mark.parametrize("place", [0, 1])
def test_numbers_of_any_kind_come_out_as_floats(number, place):
    result = [0.0, 0.0, np.False_, 1]
    result[place] = number
    actual = step(tuple(result))
    assert actual[place] == 1.5
    assert [type(x) for x in actual[:4]] == [float, float, bool, bool]


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ((math.nan, 0.0, False, False), "the reward is nan"),
        ((0.0, math.inf, False, False), "the score is inf"),
        ((np.float32(-math.inf), 0.0, False, False), "the reward is -inf"),
        ((1e39, 0.0, False, False), "the reward is 1e.39, which is not finite as a float32"),
        (("1", 0.0, False, False), "the reward is '1', not a number"),
        ((None, 0.0, False, False), "the reward is None, not a number"),
        (([1.0, 2.0], 0.0, False, False), r"the reward is \[1.0, 2.0\], not a number"),
        ((1j, 0.0, False, False), "the reward is 1j, not a number"),
        ((0.0, 0.0, None, False), "terminated is None, neither true nor false"),
        ((0.0, 0.0, "no", False), "terminated is 'no', neither true nor false"),
        ((0.0, 0.0, False, np.array([True, False])), "truncated is array.*neither true nor false"),
        ((0.0, 0.0, False, 2), "truncated is 2, neither true nor false"),
        ((np.zeros(2), 0.0, False, False, {}), "step returned .*, not a StepResult"),
        ((0.5, 0.0, False, False, {}), "step returned .*, not a StepResult"),
        ((0.0, 0.0, True, False, (1.0,)), r"the figures are \(1.0,\), but the spec names none"),
        (base.StepResult(0.0, 0.0, False, False, (1.0,)), "but the spec names none"),
        (7, "step returned 7, not a StepResult"),
    ],
)
def test_results_that_mean_nothing_are_refused(result, fault):
    with pytest.raises(checked.ProtocolError, match=fault) as raised:
        step(result)
    assert "\n" not in str(raised.value)


def test_an_episode_may_not_be_longer_than_the_spec_says():
    environment, observation = make(specs.ArraySpec((2,), "float32"), max_episode_steps=3)
    for _ in range(2):  # a reset begins anew
        environment.reset(0, observation)
        for _ in range(3):
            environment.step(0, observation)
    with pytest.raises(checked.ProtocolError, match="goes on after 3 env steps"):
        environment.step(0, observation)


@given(st.lists(st.integers(0, 3), max_size=16), st.integers(0, 2**31 - 1), st.booleans())
def test_sound_environments_are_not_touched(actions, seed, time_limit):
    config = synthetic.Synthetic(time_limit=time_limit)
    pairs = [
        (make(), np.empty(4, np.float32)) for make in (config.make, lambda: checked.make(config))
    ]
    for environment, observation in pairs:
        environment.reset(seed, observation)
    for action in actions:
        (a, shown_by_a), (b, shown_by_b) = pairs
        assert a.step(action, shown_by_a) == b.step(action, shown_by_b)
        assert shown_by_a.tobytes() == shown_by_b.tobytes()


def test_the_step_after_a_reset_is_the_same_whatever_came_before():
    """Also where an environment writes only a part: nothing of another step shines through."""

    def show(array):
        array[0] = 7

    def first_two(environment, observation):
        environment.reset(0, observation)
        first = observation.copy()
        environment.step(0, observation)
        return first.tolist(), observation.tolist()

    environment, observation = make(specs.ArraySpec((5,), "int16"), show)
    expected = first_two(environment, observation)
    for steps in range(4):
        environment.reset(1, observation)
        for _ in range(steps):
            environment.step(0, observation)
        assert first_two(environment, observation) == expected


def test_the_spec_has_to_fit():
    spec = dataclasses.replace(synthetic.Synthetic().spec, observation=TREE)
    environment = checked.Checked(Puppet(show_all), spec)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        environment.reset(0, {"picture": np.zeros((3, 4), np.uint8)})


def test_actions_come_within_bounds():
    class Game(Puppet):
        def step(self, action, observation):
            self.played = action
            return super().step(action, observation)

    game = Game(show_all)
    action = specs.BoxSpec((2,), low=(-1.0, 0.0), high=(1.0, math.inf))
    spec = specs.EnvironmentSpec(specs.ArraySpec((1,), "bool"), action, 9)
    observation = np.zeros(1, bool)
    environment = checked.Checked(game, spec)
    environment.reset(0, observation)
    environment.step(np.float32([-7.5, 7.5]), observation)
    assert game.played.tolist() == [-1.0, 7.5]


@pytest.mark.parametrize(
    ("action", "mask", "is_refused"),
    [
        (specs.DiscreteSpec(num_values=3), [0, 0, 1], False),
        (specs.DiscreteSpec(num_values=3), [0, 0, 0], True),
        (specs.MultiDiscreteSpec(num_values=(1, 2)), [1, 0, 1], False),
        (specs.MultiDiscreteSpec(num_values=(1, 2)), [1, 0, 0], True),
        (specs.MultiDiscreteSpec(num_values=(1, 2)), [0, 1, 1], True),
    ],
)
def test_masks_that_permit_nothing(action, mask, is_refused):
    """Unless the episode is over: then nobody asks."""

    def show(observation):
        observation[specs.ACTION_MASK][...] = mask if shown else True

    shown = False
    spec = specs.EnvironmentSpec({specs.ACTION_MASK: specs.ArraySpec((3,), "bool")}, action, 9)
    observation = {specs.ACTION_MASK: np.zeros(3, bool)}
    over = base.StepResult(0.0, 0.0, True, False)
    ending = checked.Checked(Puppet(show, over), spec)
    going_on = checked.Checked(Puppet(show), spec)
    for environment in (ending, going_on):
        environment.reset(0, observation)
    shown = True
    assert ending.step(0, observation) == over
    if not is_refused:
        assert not going_on.step(0, observation).terminated
        return
    with pytest.raises(checked.ProtocolError, match="observation/action_mask permits nothing"):
        going_on.step(0, observation)
    with pytest.raises(checked.ProtocolError, match=r"in reset: .* permits nothing"):
        going_on.reset(0, observation)


def test_of_who_has_left_the_score_goes_on_and_the_reward_does_not():
    """As the game goes on for others of the side, or for the other side."""
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((2,), "float32"),
        specs.DiscreteSpec(num_values=2),
        max_episode_steps=9,
        num_players=2,
    )
    left = np.array([True, False])
    gains = np.array([3.0, 5.0], np.float32)
    puppet = Puppet(show_all, base.StepResult(gains, -gains, left, np.zeros(2, bool)))
    environment, observation = checked.Checked(puppet, spec), spec.new_observation()
    environment.reset(0, observation)
    first, second = (environment.step(np.ones(2), observation) for _ in range(2))
    assert first.reward.tolist() == [3.0, 5.0]
    assert second.reward.tolist() == [0.0, 5.0]
    assert first.score.tolist() == second.score.tolist() == [-3.0, -5.0]
    assert second.terminated.tolist() == [True, False]
