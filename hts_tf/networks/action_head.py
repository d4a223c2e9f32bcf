"""The action head: from features to actions, and all that depends on the kind of action."""

import abc
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, specs, trees
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.transparent import Transparent


def described(action: specs.ArraySpec) -> str:
    """Returns in words what kind of action a spec is of."""
    return f"an action of {type(action).__name__}, {_array(action)}"


def _array(spec: trees.Tree) -> str:
    if not isinstance(spec, specs.ArraySpec):
        return "no single array"
    return f"an array {tuple(map(int, spec.shape))} of {spec.dtype}"


class Distribution(Protocol):
    """What learners ask of distributions over actions; those of TensorFlow Probability have it."""

    def log_prob(self, value: tf.Tensor) -> tf.Tensor:
        """Returns log pi(a|s) of actions, [...]."""

    def entropy(self) -> tf.Tensor:
        """Returns the entropies, [...], in nats."""

    def kl_divergence(self, other: Any) -> tf.Tensor:
        """Returns KL(self, other), [...], in nats."""


class ActionHead(Transparent, keras.Model, abc.ABC):
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
        if not self.serves(action):
            raise errors.ConfigError(
                f"ActorCritic.head = @{type(self).__name__} is not for {described(action)}: "
                "bind another",
                page="design.md#heads",
            )
        self.action = action

    @classmethod
    def serves(cls, action: specs.ArraySpec) -> bool:
        """Returns whether the head is for such actions; a head that does not say takes any."""
        return True

    @property
    def action_mask(self) -> specs.ArraySpec | None:
        """What an observation's `specs.ACTION_MASK` must be, which the head then keeps to.

        None, unless the head says otherwise: nothing can be forbidden.
        """
        return None

    def check_mask(self, observation: trees.Tree) -> None:
        """Checks that the head can keep to the mask in an observation, if there is one.

        Args:
          observation: its spec.

        Raises:
          ConfigError: the head cannot, or not to one of that shape or dtype.
        """
        mask, name = specs.action_mask_of(observation), f"ActorCritic.head = @{type(self).__name__}"
        if mask is None:
            return
        if self.action_mask is None:
            raise errors.ConfigError(
                f"{name} cannot keep to the observation's {specs.ACTION_MASK}: bind another, or "
                "give that array another name",
                page="design.md#heads",
            )
        needed, found = _array(self.action_mask), _array(mask)
        if found != needed:
            raise errors.ConfigError(
                f"{name} needs an observation whose {specs.ACTION_MASK} is {needed}, not {found}",
                page="design.md#heads",
            )

    @property
    @abc.abstractmethod
    def parameters(self) -> Mapping[str, specs.ArraySpec]:
        """Of the distribution over actions; the names are no fields of `rollouts.Rollout`."""

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
