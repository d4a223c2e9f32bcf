"""Actions of all kinds, and TensorFlow Probability's distributions over them."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from hts_tf import specs

tfb, tfd = tfp.bijectors, tfp.distributions

KINDS = {
    "choice": specs.DiscreteSpec(num_values=5),
    "choices": specs.MultiDiscreteSpec(num_values=(3, 2, 4)),
    "a single one of several": specs.MultiDiscreteSpec(num_values=(5,)),
    "array of choices": specs.MultiDiscreteSpec(num_values=(2, 3, 1, 300), shape=(2, 2)),
    "bool": specs.ArraySpec((), "bool"),
    "bools": specs.ArraySpec((2, 3), "bool"),
    "number": specs.ArraySpec((), "float32"),
    "numbers": specs.ArraySpec((2, 2), "float64"),
    "clipped": specs.BoxSpec((3,), low=(-1.0, -2.0, 0.0), high=(1.0, np.inf, 5.0)),
    "tanh": specs.BoxSpec((), low=(-2.0,), high=(0.5,), bounded_by="tanh"),
    "several by tanh": specs.BoxSpec(
        (3, 1), "float64", low=(-1.0, -2.0, 0.0), high=(1.0, 7.0, 5.0), bounded_by="tanh"
    ),
}
MASKED = ("choice", "choices", "a single one of several", "array of choices")


def parameters(head, leading, seed=0):
    """Random parameters [*leading, ...] of a head's distributions, as tensors."""
    random = np.random.default_rng([seed, 0])
    drawn = {}
    for name, spec in head.parameters.items():
        shape = (*leading, *spec.shape)
        array = random.uniform(0.3, 1.3, shape) if name == "std" else random.normal(0, 2, shape)
        drawn[name] = tf.constant(array.astype(spec.dtype))
    return drawn


def actions(action, leading, seed=0):
    """Random actions [*leading, ...]."""
    random = np.random.default_rng([seed, 1])
    shape = (*leading, *action.shape)
    if isinstance(action, specs.DiscreteSpec):
        return random.integers(action.num_values, size=shape).astype(action.dtype)
    if isinstance(action, specs.MultiDiscreteSpec):
        highest = np.reshape(action.num_values, action.shape)
        return random.integers(highest, size=shape).astype(action.dtype)
    if action.dtype == "bool":
        return random.random(shape) < 0.5
    return random.normal(0, 2, shape).astype(action.dtype)


def expected(action, policy):
    """What a head's distribution with these parameters is to be."""
    if isinstance(action, (specs.DiscreteSpec, specs.MultiDiscreteSpec)):
        return _Choices(action, policy["logits"])
    if action.dtype == "bool":
        return tfd.Independent(tfd.Bernoulli(logits=policy["logits"]), len(action.shape))
    mean, std = policy["mean"], policy["std"]
    normal = tfd.Independent(tfd.Normal(mean, std), len(action.shape))
    if isinstance(action, specs.BoxSpec) and action.bounded_by == "tanh":
        return _Bounded(action, normal)
    return _Numbers(normal)


class _Choices:
    def __init__(self, action, logits):
        parts = tf.split(logits, np.atleast_1d(action.num_values), axis=-1)
        self.choices = [tfd.Categorical(logits=part) for part in parts]
        self._leading = tf.shape(logits)[:-1]

    def log_prob(self, value):
        shape = tf.concat([self._leading, [len(self.choices)]], 0)
        value = tf.cast(tf.reshape(value, shape), tf.int32)
        return sum(choice.log_prob(value[..., i]) for i, choice in enumerate(self.choices))

    def entropy(self):
        return sum(choice.entropy() for choice in self.choices)

    def kl_divergence(self, other):
        pairs = zip(self.choices, other.choices, strict=True)
        return sum(tfd.kl_divergence(*pair) for pair in pairs)


class _Numbers:
    def __init__(self, normal):
        self.normal = normal

    def log_prob(self, value):
        return self.normal.log_prob(tf.cast(value, tf.float32))

    def entropy(self):
        return self.normal.entropy()

    def kl_divergence(self, other):
        return tfd.kl_divergence(self.normal, other.normal)


class _Bounded(_Numbers):
    """Over y, asked about x; it has no entropy of its own, so that is integrated on a fine grid."""

    def __init__(self, action, normal):
        self.normal = normal
        low, high = (
            np.reshape(b, action.shape).astype(np.float32) for b in (action.low, action.high)
        )
        self._bijector = tfb.Chain(
            [tfb.Shift(0.5 * (low + high)), tfb.Scale(0.5 * (high - low)), tfb.Tanh()]
        )
        self._axes = len(action.shape)
        self.bounded = tfd.TransformedDistribution(normal, self._bijector)

    def log_prob(self, value):
        return self.bounded.log_prob(self._bijector.forward(tf.cast(value, tf.float32)))

    def entropy(self):
        points = np.linspace(-9, 9, 601).astype(np.float32)
        weights = np.exp(-0.5 * points**2) / np.sum(np.exp(-0.5 * points**2))
        normal = self.normal.distribution
        shape = (-1, *[1] * normal.loc.shape.rank)
        x = normal.loc + normal.scale * points.reshape(shape)
        log_slope = self._bijector.forward_log_det_jacobian(x, self._axes)
        log_slope = tf.tensordot(weights, log_slope, 1)
        return self.normal.entropy() + log_slope

    def kl_divergence(self, other):
        return tfd.kl_divergence(self.normal, other.normal)
