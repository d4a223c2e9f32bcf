"""A head for points of the plane. Not in dial.py, which executors load: they need no TensorFlow."""

import gin
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.initialisation import dense


@gin.configurable(denylist=["action", "seeds"])
class Gaussian(ActionHead):
    """A normal distribution, with a standard deviation of its own for each number."""

    def __init__(self, action, seeds):
        super().__init__(action, seeds)
        (size,) = action.shape
        self._linear = dense(size, seeds, gain=0.01)
        self._log_std = self.add_weight(shape=(size,), initializer=keras.initializers.Zeros())

    @property
    def parameters(self):
        return {"mean": self.action, "std": self.action}

    @property
    def noise(self):
        return self.action

    def call(self, features, observation):
        mean = self._linear(features)
        return {"mean": mean, "std": tf.ones_like(mean) * tf.exp(self._log_std)}

    def draw_noise(self, random, shape):
        return random.standard_normal((*shape, *self.action.shape)).astype(np.float32)

    def act(self, policy, noise):
        return policy["mean"] + policy["std"] * noise

    def distribution(self, policy):
        normal = tfp.distributions.Normal(policy["mean"], policy["std"])
        return tfp.distributions.Independent(normal, reinterpreted_batch_ndims=1)
