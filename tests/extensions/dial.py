"""Another kind of action: points of the plane, and a head that chooses them."""

import dataclasses

import gin
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from hts_tf import specs
from hts_tf.environments import base
from hts_tf.networks.action_head import ActionHead
from hts_tf.networks.torsos import dense


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Dial:
    """Point at what is shown. A perfect episode scores 1; each ends by a time limit."""

    episode_steps: int = 16

    @property
    def spec(self):
        point = specs.ArraySpec((2,), "float32")
        return specs.EnvironmentSpec(point, point, self.episode_steps)

    def make(self):
        return _Game(self.episode_steps)


class _Game(base.Environment):
    def __init__(self, episode_steps):
        self._episode_steps = episode_steps

    def reset(self, seed, observation):
        self._targets = np.random.default_rng(seed).uniform(-1, 1, (self._episode_steps + 1, 2))
        self._step = 0
        observation[...] = self._targets[0]

    def step(self, action, observation):
        distance = np.sum(np.square(action - self._targets[self._step]))
        score = float(np.exp(-distance)) / self._episode_steps
        self._step += 1
        observation[...] = self._targets[self._step]
        return base.StepResult(score, score, False, self._step == self._episode_steps)

    def close(self):
        pass


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
