"""A policy by itself: one function of plain arrays."""

import re
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, rollouts, specs, trees
from hts_tf.networks.agent import Agent


class Exported:
    """An agent's `act` of dense observations.

    It takes the arrays of an observation as it is stored, `observation` or its entries by name
    (maps of football as images, [height, width, channels] uint8, where what is not 0 is set; not
    what only a critic sees); of an agent with a memory `state...`, zeros before an episode's first
    observation; and `noise`: zeros for the most probable actions, else random numbers as the
    agent's head draws them (of a choice, standard Gumbel; of real numbers, standard normal).

    It returns `action`, as the environment takes it; the parameters of the distribution, such as
    `logits`; `value`, unless a critic sees more than the policy; and, of an agent with a memory,
    `next_state...` for the next observation.

    Attributes:
      agent: whose parameters they are.
      environment: that it is for.
      function: that is exported, of inputs in their order; returns a dict.
      inputs: name -> tf.TensorSpec.
      outputs: the same.
    """

    def __init__(self, agent: Agent, environment: specs.EnvironmentSpec) -> None:
        """Traces the function. Raises: ConfigError: two of its inputs would have one name."""
        self.agent = agent
        self.environment = environment
        self._observation = agent.step.observation
        shown = trees.map(_dense, self._observation)
        named = [
            *_observed(_without_critic_state(shown)),
            *_remembered(agent.step.state),
            ("noise", agent.noise),
        ]
        self.inputs = {
            name: tf.TensorSpec((None, *spec.shape), spec.dtype, name=name) for name, spec in named
        }
        for name, _ in named:
            if sum(other == name for other, _ in named) > 1:
                raise errors.ConfigError(
                    f"two inputs of the policy would be called {name!r}: give that entry of the "
                    "environment's observation another name"
                )
        self.function = tf.function(
            self._act, input_signature=[*self.inputs.values()], autograph=False
        )
        traced = self.function.get_concrete_function()
        self.outputs = traced.structured_outputs

    def as_model(self) -> keras.Model:
        """Returns it as a functional model of Keras's, of operations and layers of Keras's alone.

        Raises:
          ConfigError: the network uses others.
        """
        inputs = {
            name: keras.Input(spec.shape[1:], name=name, dtype=spec.dtype.name)
            for name, spec in self.inputs.items()
        }
        refusal = "--format=keras needs a network of Keras's layers and keras.ops alone, not "
        try:
            model = keras.Model(inputs, self._act(*inputs.values()), name="policy")
        except ValueError as error:  # Keras's, of what cannot work with its symbols
            what = "TensorFlow's functions"
            raise errors.ConfigError(f"{refusal}{what}: write another format") from error
        for operation in model.operations:
            if not type(operation).__module__.startswith("keras."):
                what = type(operation).__name__
                raise errors.ConfigError(f"{refusal}{what}: write another format")
        return model

    def given(
        self,
        observation: trees.Tree,
        state: trees.Tree,
        noise: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Returns as its inputs what `Agent.act` takes, all [B, ...]; maps must be images."""
        seen = _without_critic_state(observation)
        return dict([*_observed(seen), *_remembered(state), ("noise", noise)])

    def wanted(self, answer: rollouts.Answer) -> dict[str, tf.Tensor]:
        """Returns as its outputs, but for the value, what `Agent.act` answers, all [B, ...]."""
        return {
            "action": bounded(self.environment.action, answer.action),
            **answer.policy,
            **{f"next_{name}": array for name, array in _remembered(answer.state)},
        }

    def _act(self, *arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(self.inputs, arrays, strict=True))
        seen = _without_critic_state(self._observation)
        names = iter(name for name, _ in _observed(seen))

        def observed(spec: specs.ArraySpec) -> tf.Tensor:
            array = given[next(names)]
            if not isinstance(spec, specs.PixelMapSpec):
                return array
            return keras.ops.cast(keras.ops.cast(array, "float32") > 0.0, "float32")

        observation = trees.map(observed, seen)
        if specs.has_critic_state(self._observation):
            unseen = self._observation[specs.CRITIC_STATE]
            made_up = trees.map(lambda spec: _unseen(spec, given["noise"]), unseen)
            observation = {name: observation.get(name, made_up) for name in self._observation}
        places = iter(name for name, _ in _remembered(self.agent.step.state))
        state = trees.map(lambda _: given[next(places)], self.agent.step.state)
        answer = self.agent.act(observation, state, given["noise"])
        value = {} if specs.has_critic_state(self._observation) else {"value": answer.value}
        return {**self.wanted(answer), **value}


def _without_critic_state(observation: trees.Tree) -> trees.Tree:
    """Returns what the policy sees, under the names that it has (unlike `torsos.without`)."""
    if not specs.has_critic_state(observation):
        return observation
    return {name: part for name, part in observation.items() if name != specs.CRITIC_STATE}


def _unseen(spec: specs.ArraySpec, noise: tf.Tensor) -> tf.Tensor:
    """Returns what stands for arrays that only a critic sees, of which no output is made."""
    if isinstance(noise, keras.KerasTensor):
        return keras.Input(spec.shape, dtype=spec.dtype)
    return tf.zeros((tf.shape(noise)[0], *spec.shape), spec.dtype)


def _dense(spec: specs.ArraySpec) -> specs.ArraySpec:
    """Returns what stands for arrays of a spec outside of this project."""
    if isinstance(spec, specs.PixelMapSpec):
        return specs.ArraySpec(spec.dense_shape, "uint8")
    return spec


def _observed(tree: trees.Tree) -> list[tuple[str, Any]]:
    """Returns the leaves of an observation, by name; what is no dict is `observation`."""
    return _plainly(trees.named(tree, "" if isinstance(tree, dict) else "observation"))


def _remembered(tree: trees.Tree) -> list[tuple[str, Any]]:
    """Returns the leaves of a state, by name."""
    return _plainly(trees.named(tree, "state"))


def _plainly(leaves: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(re.sub(r"\W", "_", name), leaf) for name, leaf in leaves]


def bounded(spec: specs.ArraySpec, action: tf.Tensor) -> tf.Tensor:
    """Returns actions as environments take them."""
    if not isinstance(spec, specs.BoxSpec):
        return action
    low, high = (bound.astype(np.float32) for bound in spec.bounds)
    if spec.bounded_by == "tanh":  # rounding may lead past a bound
        action = low + (high - low) * (0.5 * (1.0 + keras.ops.tanh(action)))
    # So may rounding bounds of more digits.
    low = np.where(low < spec.bounds[0], np.nextafter(low, np.float32(np.inf)), low)
    high = np.where(high > spec.bounds[1], np.nextafter(high, np.float32(-np.inf)), high)
    return keras.ops.minimum(keras.ops.maximum(action, low), high)
