import numpy as np
import tensorflow as tf

from hts_tf.networks import parameters


def test_what_is_finite():
    sound = [tf.Variable([1.0, -2.0]), tf.Variable(7), tf.Variable([[3e38, 3e38]])]
    assert parameters.are_finite(sound)
    for value in (np.nan, np.inf, -np.inf):
        assert not parameters.are_finite([*sound, tf.Variable([[0.0, value]])])
