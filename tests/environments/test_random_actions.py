import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors, specs
from hts_tf.environments import random_actions

NUMBERS = st.lists(st.integers(1, 5), min_size=1, max_size=4)
MULTI = NUMBERS.map(lambda numbers: specs.MultiDiscreteSpec(num_values=tuple(numbers)))
BOUNDS = st.lists(
    st.tuples(
        st.one_of(st.just(-math.inf), st.floats(-4, 0, width=32)),
        st.one_of(st.just(math.inf), st.floats(0, 4, width=32)),
    ),
    min_size=1,
    max_size=4,
)
BOXES = BOUNDS.map(
    lambda bounds: specs.BoxSpec(
        (len(bounds),), low=tuple(b[0] for b in bounds), high=tuple(b[1] for b in bounds)
    )
)
SPECS = st.one_of(
    st.integers(1, 300).map(lambda n: specs.DiscreteSpec(num_values=n)),
    MULTI,
    BOXES,
    st.sampled_from([specs.ArraySpec((2, 3), "bool"), specs.ArraySpec((2,), "float32")]),
)


@given(SPECS, st.integers(0, 2**32 - 1))
def test_actions_are_the_specs(spec, seed):
    one, same = (
        random_actions.draw(spec, np.zeros(3), np.random.default_rng(seed)) for _ in range(2)
    )
    assert one.shape == spec.shape
    assert one.dtype == spec.dtype
    assert one.tobytes() == same.tobytes()
    spec.check(one[None])
    if isinstance(spec, specs.BoxSpec):
        finite = np.isfinite(spec.low) & np.isfinite(spec.high)
        np.testing.assert_array_equal(spec.bounded(one)[finite], one[finite])


@given(MULTI, st.data())
def test_only_what_the_mask_permits(spec, data):
    masks = [
        data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
        for n in spec.num_values
    ]
    observation = {specs.ACTION_MASK: np.concatenate(masks), "light": np.zeros(2)}
    random = np.random.default_rng(0)
    for _ in range(5):
        action = random_actions.draw(spec, observation, random)
        assert all(mask[value] for mask, value in zip(masks, action.tolist(), strict=True))
        single = specs.DiscreteSpec(num_values=len(masks[0]))
        value = random_actions.draw(single, {specs.ACTION_MASK: np.array(masks[0])}, random)
        assert masks[0][value]


def test_all_values_come_up():
    random = np.random.default_rng(0)
    spec = specs.DiscreteSpec(num_values=4)
    assert {int(random_actions.draw(spec, None, random)) for _ in range(100)} == {0, 1, 2, 3}


def test_one_for_each_player():
    spec = specs.EnvironmentSpec(
        {specs.ACTION_MASK: specs.ArraySpec((3,), "bool")},
        specs.DiscreteSpec(num_values=3),
        1,
        num_players=4,
    )
    observation = spec.new_observation()
    observation[specs.ACTION_MASK][[0, 1, 3], [2, 0, 1]] = True  # the third one has left
    found = random_actions.draw_for_all(spec, observation, np.random.default_rng(0))
    assert found.shape == (4,)
    assert found[[0, 1, 3]].tolist() == [2, 0, 1]


def test_what_cannot_be_drawn():
    random = np.random.default_rng(0)
    with pytest.raises(errors.ConfigError, match="actions of int32 need a spec"):
        random_actions.draw(specs.ArraySpec((), "int32"), None, random)
