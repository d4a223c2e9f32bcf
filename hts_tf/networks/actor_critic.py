"""The feed-forward agent: a torso for the kind of observation, with a policy and a value head."""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf

from hts_tf import specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.action_head import ActionHead, Distribution
from hts_tf.networks.agent import Agent
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.torsos import Seeds, Torso, dense


@configurable(denylist=["spec", "seed"])
class ActorCritic(Agent):
    """A torso, with an action head and a linear head for the value.

    Orthogonal initialisation, gain sqrt(2) in the torso and 1 for the value head; biases zero.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        seed: int,
        torso: Torso = gin.REQUIRED,
        head: Callable[[specs.ArraySpec, Seeds], ActionHead] = Categorical,
    ) -> None:
        """Builds the agent; the same seed gives the same weights.

        Args:
          spec: of the environment.
          seed: of the initial weights.
          torso: builds the torso's layers, for example `@nature_cnn`.
          head: builds the action head.
        """
        super().__init__()
        seeds = Seeds(seed)
        self._spec = spec
        self._torso = torso(spec.observation, seeds)
        self._head = head(spec.action, seeds)
        self._value_head = dense(1, seeds, gain=1.0)
        self(trees.map(lambda leaf: np.zeros((2, *leaf.shape), leaf.dtype), spec.observation))

    @property
    def step(self) -> specs.StepSpec:
        """See base class."""
        return specs.step_spec(self._spec, self._head.parameters)

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return self._head.noise

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See base class."""
        return self._head.draw_noise(random, shape)

    def call(self, observation: trees.Tree) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Evaluates a batch.

        Args:
          observation: [B, ...] as the spec says.

        Returns:
          The policy's parameters [B, ...], and the values [B] float32.
        """
        features = observation
        for layer in self._torso:
            features = layer(features)
        policy = self._head(features, observation)
        return policy, tf.squeeze(self._value_head(features), -1)

    def initial_state(self, size: tf.Tensor | int) -> trees.Tree:
        """See base class: it remembers nothing."""
        return ()

    def act(self, observation: trees.Tree, state: trees.Tree, noise: tf.Tensor) -> specs.Answer:
        """See base class."""
        policy, value = self(observation)
        return specs.Answer(self._head.act(policy, noise), policy, value, state)

    def evaluate(self, rollout: specs.Rollout) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See base class."""
        observation, spec = rollout.observation, self._spec.observation
        first, first_spec = tf.nest.flatten(observation)[0], tf.nest.flatten(spec)[0]
        num_leading = first.shape.rank - len(first_spec.shape)
        if num_leading == 1:
            return self(observation)
        leading = tf.shape(first)[:num_leading]
        rows = trees.map(lambda x, leaf: tf.reshape(x, (-1, *leaf.shape)), observation, spec)
        return tf.nest.map_structure(
            lambda x: tf.reshape(x, tf.concat([leading, tf.shape(x)[1:]], 0)), self(rows)
        )

    def distribution(self, policy: dict[str, tf.Tensor]) -> Distribution:
        """See base class."""
        return self._head.distribution(policy)
