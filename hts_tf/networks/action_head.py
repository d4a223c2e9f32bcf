"""The action head: from features to actions, and all that depends on the kind of action."""

import abc
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from hts_tf import specs, trees
from hts_tf.networks.torsos import Seeds


class Distribution(Protocol):
    """What learners ask of distributions over actions; those of TensorFlow Probability have it."""

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s) of actions, [...]."""

    def entropy(self) -> tf.Tensor:
        """Returns the entropies, [...], in nats."""

    def kl_divergence(self, other: Any) -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""


class ActionHead(keras.Model, abc.ABC):
    """The last layers of an agent, which choose actions.

    An action is a pure function of parameters and noise, and the noise is drawn beforehand: so it
    is the same whoever answers an observation, and when. Computes in float32.

    Attributes:
      action: of one action.
    """

    def __init__(self, action: specs.ArraySpec, seeds: Seeds) -> None:
        """Builds the layers.

        Args:
          action: of the environment.
          seeds: of the initialisers.

        Raises:
          ConfigError: the head is for another kind of action.
        """
        super().__init__(dtype="float32")
        self.action = action

    @property
    @abc.abstractmethod
    def parameters(self) -> Mapping[str, specs.ArraySpec]:
        """Of the distribution over actions; the names are no fields of `specs.Rollout`."""

    @property
    @abc.abstractmethod
    def noise(self) -> specs.ArraySpec:
        """What makes an action random."""

    @abc.abstractmethod
    def call(self, features: tf.Tensor, observation: trees.Tree) -> dict[str, tf.Tensor]:
        """Computes the distribution's parameters.

        Args:
          features: [B, ...], by the torso.
          observation: [B, ...], for heads that are told there what is permitted.
        """

    @abc.abstractmethod
    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws noise [*shape, ...] of the head's kind."""

    @abc.abstractmethod
    def act(self, policy: dict[str, tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
        """Returns actions [B, ...] of distributions; with zeros for noise, the most probable."""

    @abc.abstractmethod
    def distribution(self, policy: dict[str, tf.Tensor]) -> Distribution:
        """Returns the distributions with these parameters: TensorFlow Probability's, or alike."""
