import numpy as np

from hts_tf import specs
from hts_tf.opponents.scripted import Always

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
