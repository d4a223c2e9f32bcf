"""The agent: what acts and what is trained, as everybody else sees it."""

import abc
import hashlib
import weakref

import keras
import numpy as np
import tensorflow as tf

from hts_tf import rollouts, specs, trees
from hts_tf.networks.action_head import Distribution


class Agent(keras.Model, abc.ABC):
    """A policy and its value function, with parameters that can be trained.

    What it is made of is its own affair: actors, learner, algorithms, schedules and evaluator know
    only what is here.
    """

    @property
    @abc.abstractmethod
    def step(self) -> rollouts.StepSpec:
        """What one env step consists of, with this agent acting."""

    @property
    @abc.abstractmethod
    def noise(self) -> specs.ArraySpec:
        """What `act` needs to be random."""

    @abc.abstractmethod
    def draw_noise(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Draws noise [*shape, ...]."""

    @abc.abstractmethod
    def sequence_length(self, interval: int) -> int | None:
        """Returns how it is to be trained: in sequences, or step by step.

        Args:
          interval: env steps of a rollout.

        Returns:
          The length of the sequences of env steps into which a rollout may be divided, each with
          the state that it began with; a divisor of `interval`. None if it remembers nothing.

        Raises:
          ConfigError: it is made for another interval.
        """

    @abc.abstractmethod
    def act(self, observation: trees.Tree, state: trees.Tree, noise: tf.Tensor) -> rollouts.Answer:
        """Answers observations: a pure function of these, state, noise and the parameters.

        Args:
          observation: [B, ...].
          state: [B, ...] as `step.state`, what it remembers of the episode so far; zeros before the
            first observation.
          noise: [B, ...]; zeros choose the most probable actions.
        """

    @abc.abstractmethod
    def evaluate(self, rollout: rollouts.Rollout) -> tuple[trees.Tree, tf.Tensor]:
        """Returns the parameters of the policy's distributions, and the values, both [...].

        Args:
          rollout: tensors [...] of any shape, such as [T + 1, B] or [M], of which only the
            observations are used. If it remembers, time comes first: [L, B]; and used are the
            first row of the state, and after which observations an episode ended.
        """

    @abc.abstractmethod
    def distribution(self, policy: trees.Tree) -> Distribution:
        """Returns the distributions over actions that have these parameters."""

    def statistics(self, rollout: rollouts.Rollout) -> trees.Tree:
        """Returns what is to be known of a rollout [T, B] that the agent has just learnt from.

        Tensors of one type, for `observe`; most need nothing. Traced as part of the update.
        """
        return ()

    def observe(self, statistics: trees.Tree) -> None:
        """Takes in `statistics`: those of each of a batch's shards, in their order.

        For those among its variables that nobody trains, and that change at no other time.
        """

    def copy_from(self, other: "Agent") -> None:
        """Takes over the parameters of an agent of the same kind."""
        source = getattr(self, "_source", None)
        if source is None or source() is not other:
            self._source = weakref.ref(other)  # by itself, Keras would take it for a layer
            self._copy = tf.function(lambda: self._assign_all(other), autograph=False)
        self._copy()

    def _assign_all(self, other: "Agent") -> None:
        for variable, value in zip(self.variables, other.variables, strict=True):
            variable.assign(value)

    def parameters_hash(self) -> str:
        """Returns the SHA-256, in hex, of the bytes of all parameters in order."""
        digest = hashlib.sha256()
        for variable in self.variables:
            digest.update(variable.numpy().tobytes())
        return digest.hexdigest()
