"""The action head for numbers, with or without bounds."""

import math
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from annotated_types import Ge, Le

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.initialisation import Seeds, dense

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)

# Gauss-Hermite quadrature: the mean of f(x) over normal x is the weighted one of
# f(mean + std * node).
_NUM_NODES = 32
_NODES, _WEIGHTS = (
    array.astype(np.float32) for array in np.polynomial.hermite_e.hermegauss(_NUM_NODES)
)
_WEIGHTS /= _WEIGHTS.sum()


class GaussianDistribution:
    """Of independent normal numbers, computed as TensorFlow Probability's `Independent` one is."""

    def __init__(self, mean: tf.Tensor, std: tf.Tensor, num_axes: int) -> None:
        """Takes what the distribution is made of.

        Args:
          mean: [..., *shape].
          std: [..., *shape], standard deviations.
          num_axes: of one action's shape.
        """
        self.mean = mean
        self.std = std
        self._axes = list(range(-num_axes, 0))

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s), [...], of actions [..., *shape]."""
        deviation = (tf.cast(value, tf.float32) - self.mean) / self.std
        return self._sum(-0.5 * tf.square(deviation) - tf.math.log(self.std) - _HALF_LOG_2_PI)

    def entropy(self) -> tf.Tensor:
        """Returns the differential entropies, [...], in nats."""
        return self._sum(tf.math.log(self.std) + _HALF_LOG_2_PI + 0.5)

    def kl_divergence(self, other: "GaussianDistribution") -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""
        log_ratio = tf.math.log(self.std) - tf.math.log(other.std)
        distance = (self.mean - other.mean) / other.std
        return self._sum(
            0.5 * tf.square(distance) + 0.5 * tf.math.expm1(2.0 * log_ratio) - log_ratio
        )

    def _sum(self, terms: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(terms, self._axes)


class TanhGaussianDistribution(GaussianDistribution):
    """Of what environments get of normal numbers x: y = low + (high - low) * (1 + tanh(x)) / 2.

    The density is that of y, but what is stored of an action, and asked about here, is x: it cannot
    be recovered from a y that rounding has put on a bound. Two policies' log_prob differ by as much
    as for the normal numbers, and so does KL.
    """

    def __init__(self, mean: tf.Tensor, std: tf.Tensor, action: specs.BoxSpec) -> None:
        """Takes what the distribution is made of.

        Args:
          mean: [..., *shape], of x.
          std: [..., *shape], of x.
          action: whose bounds y is within.
        """
        super().__init__(mean, std, len(action.shape))
        half_range = 0.5 * np.subtract(action.high, action.low).reshape(action.shape)
        self._log_half_range = np.log(half_range).astype(np.float32)

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(y|s), [...], of actions x, [..., *shape]."""
        log_slope = _log_slope_of_tanh(tf.cast(value, tf.float32)) + self._log_half_range
        return super().log_prob(value) - self._sum(log_slope)

    def entropy(self) -> tf.Tensor:
        """Returns the differential entropies of y, [...], in nats.

        That of x, and the mean of log dy/dx, which has no closed form. The quadrature errs by less
        than rounding for each number up to a standard deviation of 1, 2e-4 up to 2, 0.03 up to 5.
        """
        points = self.mean[..., None] + self.std[..., None] * _NODES
        log_slope = tf.reduce_sum(_log_slope_of_tanh(points) * _WEIGHTS, axis=-1)
        return super().entropy() + self._sum(log_slope + self._log_half_range)


def _log_slope_of_tanh(x: tf.Tensor) -> tf.Tensor:
    """Returns log(1 - tanh(x)^2), also where that difference rounds to 0."""
    return 2.0 * (math.log(2.0) - x - tf.nn.softplus(-2.0 * x))


@configurable(denylist=["action", "seeds"])
class Gaussian(ActionHead):
    """A normal distribution: action = mean + std * noise, before any bounds.

    The mean is by one linear layer, with orthogonal initialisation of gain 0.01; the standard
    deviation of each number is a parameter of its own, the same for all observations, as in PPO
    (Schulman et al. 2017, arXiv 1707.06347, section 6.1).

    An action is what was chosen; environments get it within the bounds of a `specs.BoxSpec`.
    Bounds that clip are taken for a part of the environment: the distribution is that of the
    number chosen. Those by tanh are a part of the policy: log_prob and entropy are those of the
    bounded action.
    """

    def __init__(
        self,
        action: specs.ArraySpec,
        seeds: Seeds,
        initial_std: Annotated[float, Ge(1e-6), Le(1e6)] = 1.0,
    ) -> None:
        """Builds the layers.

        Args:
          action: of the environment.
          seeds: of the initialisers.
          initial_std: of each number; before tanh, where that is what bounds it.

        Raises:
          ConfigError: the head is for another kind of action.
        """
        super().__init__(action, seeds)
        self._is_by_tanh = isinstance(action, specs.BoxSpec) and action.bounded_by == "tanh"
        if self._is_by_tanh and not np.less(action.low, action.high).all():
            raise errors.ConfigError(
                "ActorCritic.head = @Gaussian: tanh cannot bound an action to a single value; "
                "clip it, or bind another"
            )
        self._linear = dense(math.prod(action.shape), seeds, gain=0.01)
        initial = keras.initializers.Constant(math.log(initial_std))
        self._log_std = self.add_weight(shape=action.shape, initializer=initial, name="log_std")

    @classmethod
    def serves(cls, action: specs.ArraySpec) -> bool:
        """See base class."""
        return action.dtype in ("float32", "float64")

    @property
    def parameters(self) -> dict[str, specs.ArraySpec]:
        """See base class."""
        numbers = specs.ArraySpec(self.action.shape, "float32")
        return {"mean": numbers, "std": numbers}

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return self.parameters["mean"]

    def call(self, features: tf.Tensor, observation: trees.Tree) -> dict[str, tf.Tensor]:
        """See base class."""
        mean = keras.ops.reshape(self._linear(features), (-1, *self.action.shape))
        # exp of the variable, whose shape is the same in every batch: so is the rounding.
        return {"mean": mean, "std": keras.ops.exp(self._log_std) + keras.ops.zeros_like(mean)}

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws standard normal numbers."""
        return random.standard_normal((*shape, *self.noise.shape)).astype(np.float32)

    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """See base class; with zeros for noise, the mean."""
        return keras.ops.cast(policy["mean"] + policy["std"] * noise, self.action.dtype)

    def distribution(self, policy: dict[str, tf.Tensor]) -> GaussianDistribution:
        """See base class."""
        mean, std = policy["mean"], policy["std"]
        if self._is_by_tanh:
            return TanhGaussianDistribution(mean, std, self.action)
        return GaussianDistribution(mean, std, len(self.action.shape))
