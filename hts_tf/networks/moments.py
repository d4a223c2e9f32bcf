"""Running mean and variance."""

from typing import NamedTuple

import keras
import tensorflow as tf

_EPSILON = 1e-8  # added to variances, as in VecNormalize and Gymnasium's wrappers


class Moments(NamedTuple):
    """Of arrays [n, ...], in float64.

    Attributes:
      count: n.
      mean: [...].
      squares: [...], the sum of squared deviations from the mean.
    """

    count: tf.Tensor
    mean: tf.Tensor
    squares: tf.Tensor


class RunningMoments(keras.layers.Layer):
    """Mean and variance of all arrays seen so far: variables that are not trained, in float64.

    Each update merges the moments of a batch with those so far (Chan, Golub and LeVeque 1979,
    "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances"). Squares are taken
    of deviations only, so that a large mean costs no digits. It is VecNormalize's rule, without the
    pretended first 0.0001 observations that it begins with.

    Attributes:
      mean: [...]; 0 before the first update.
      variance: [...], of the population; 1 before the first update.
      count: scalar, how many arrays were seen.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Creates the variables, for arrays of this shape."""
        super().__init__(dtype="float64", autocast=False)
        # Without autocast: half precision elsewhere is no concern of statistics.
        kind = {"dtype": "float64", "trainable": False, "autocast": False}
        self.mean = self.add_weight(shape, "zeros", name="mean", **kind)
        self.variance = self.add_weight(shape, "ones", name="variance", **kind)
        self.count = self.add_weight((), "zeros", name="count", **kind)
        self.built = True  # nothing waits for a first call

    def update(self, batch: tf.Tensor) -> None:
        """Takes in arrays [n, ...]; none change nothing."""
        self.merge(moments(batch))

    def merge(self, batch: Moments) -> None:
        """Takes in arrays of which only the moments are known."""
        count, mean, squares = batch
        total = self.count + count
        shift = mean - self.mean
        between = tf.math.divide_no_nan(self.count * count, total)
        squares += self.variance * self.count + tf.square(shift) * between
        self.mean.assign(self.mean + shift * tf.math.divide_no_nan(count, total))
        self.variance.assign(tf.where(total > 0, squares / total, self.variance))
        self.count.assign(total)

    def inverse_deviation(self) -> tf.Tensor:
        """Returns 1 / sqrt(variance + 1e-8), [...] float64."""
        return 1.0 / tf.sqrt(self.variance + _EPSILON)


def moments(batch: tf.Tensor) -> Moments:
    """Returns those of arrays [n, ...]; 0 of none."""
    batch = tf.cast(batch, tf.float64)
    count = tf.cast(tf.shape(batch)[0], tf.float64)
    mean = tf.math.multiply_no_nan(tf.reduce_mean(batch, axis=0), tf.minimum(count, 1.0))
    return Moments(count, mean, tf.reduce_sum(tf.square(batch - mean), axis=0))
