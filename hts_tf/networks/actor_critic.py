"""The actor-critic agent: a torso for the kind of observation, perhaps a core, and two heads."""

from collections.abc import Callable

import gin
import numpy as np
import tensorflow as tf

from hts_tf import errors, specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.networks import choice
from hts_tf.networks.action_head import ActionHead, Distribution
from hts_tf.networks.agent import Agent
from hts_tf.networks.cores import CoreMaker
from hts_tf.networks.torsos import Seeds, Torso, dense


@configurable(denylist=["spec", "seed"])
class ActorCritic(Agent):
    """A torso, perhaps a core that remembers, an action head and a linear head for the value.

    Orthogonal initialisation, gain sqrt(2) in the torso and 1 for the value head; biases zero.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        seed: int,
        torso: Torso = gin.REQUIRED,
        head: Callable[[specs.ArraySpec, Seeds], ActionHead] | None = None,
        core: CoreMaker | None = None,
        sequence_length: values.Count | None = None,
    ) -> None:
        """Builds the agent; the same seed gives the same weights.

        Args:
          spec: of the environment.
          seed: of the initial weights.
          torso: builds the torso's layers, for example `@nature_cnn`.
          head: builds the action head; None for the one that is for the environment's actions.
          core: builds the core: `@lstm`, `@gru`; None for an agent that remembers nothing.
          sequence_length: in env steps, of the sequences into which algorithms that shuffle divide
            what a core learns from, each with the state that it began with; must divide
            sync_interval. None takes whole intervals.

        Raises:
          ConfigError: torso or head do not fit the environment.
        """
        super().__init__()
        seeds = Seeds(seed)
        self._spec = spec
        self._sequence_length = sequence_length
        self._torso = torso(spec.observation, seeds)
        self._core = core(seeds) if core else None
        self._head = (head or choice.head_for(spec.action))(spec.action, seeds)
        self._head.check_mask(spec.observation)
        self._value_head = dense(1, seeds, gain=1.0)
        zeros = (spec.observation, self._core.state if self._core else ())
        self(*trees.map(lambda leaf: np.zeros((2, *leaf.shape), leaf.dtype), zeros))

    @property
    def step(self) -> specs.StepSpec:
        """See base class."""
        state = self._core.state if self._core else ()
        return specs.step_spec(self._spec, self._head.parameters, state)

    @property
    def noise(self) -> specs.ArraySpec:
        """See base class."""
        return self._head.noise

    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """See base class."""
        return self._head.draw_noise(random, shape)

    def sequence_length(self, interval: int) -> int | None:
        """See base class."""
        if self._core is None:
            return None
        length = self._sequence_length or interval
        if interval % length:
            raise errors.ConfigError(
                f"ActorCritic.sequence_length = {length} does not divide "
                f"Trainer.sync_interval = {interval}"
            )
        return length

    def call(
        self, observation: trees.Tree, state: trees.Tree = ()
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Evaluates a batch.

        Args:
          observation: [B, ...] as the spec says.
          state: [B, ...], what it remembers, if anything.

        Returns:
          The policy's parameters [B, ...], and the values [B] float32.
        """
        policy, value, _ = self._advance(observation, state)
        return policy, value

    def _advance(
        self, observation: trees.Tree, state: trees.Tree
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, trees.Tree]:
        features = self._features(observation)
        if self._core is not None:
            features, state = self._core(features, state)
        return *self._heads(features, observation), state

    def _features(self, observation: trees.Tree) -> tf.Tensor:
        features = observation
        for layer in self._torso:
            features = layer(features)
        return features

    def _heads(
        self, features: tf.Tensor, observation: trees.Tree
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        policy = self._head(features, observation)
        return policy, tf.squeeze(self._value_head(features), -1)

    def act(self, observation: trees.Tree, state: trees.Tree, noise: tf.Tensor) -> specs.Answer:
        """See base class."""
        policy, value, state = self._advance(observation, state)
        return specs.Answer(self._head.act(policy, noise), policy, value, state)

    def evaluate(self, rollout: specs.Rollout) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See base class."""
        observation, spec = rollout.observation, self._spec.observation
        first, first_spec = tf.nest.flatten(observation)[0], tf.nest.flatten(spec)[0]
        num_leading = first.shape.rank - len(first_spec.shape)
        if num_leading == 1:
            return self._heads(self._features(observation), observation)
        leading = tf.shape(first)[:num_leading]
        rows = trees.map(lambda x, leaf: tf.reshape(x, (-1, *leaf.shape)), observation, spec)
        features = self._features(rows)
        if self._core is not None:
            features = self._unroll(features, rollout, leading)
        return tf.nest.map_structure(
            lambda x: tf.reshape(x, tf.concat([leading, tf.shape(x)[1:]], 0)),
            self._heads(features, rows),
        )

    def _unroll(self, features: tf.Tensor, rollout: specs.Rollout, leading: tf.Tensor) -> tf.Tensor:
        """Returns the core's outputs [L * B, ...] to features [L * B, F] of a rollout."""
        length = leading[0]
        ended = rollout.terminated | rollout.truncated
        begins = tf.concat([tf.zeros_like(ended[:1]), ended], 0)[:length]
        state = trees.map(lambda x: x[0], rollout.state)
        features = tf.reshape(features, tf.concat([leading, tf.shape(features)[1:]], 0))
        outputs = self._core.unroll(features, state, begins)
        return tf.reshape(outputs, (-1, outputs.shape[-1]))

    def distribution(self, policy: dict[str, tf.Tensor]) -> Distribution:
        """See base class."""
        return self._head.distribution(policy)
