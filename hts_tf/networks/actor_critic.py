"""The actor-critic agent: a torso for the kind of observation, perhaps a core, and two heads."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, rollouts, specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.networks import choice
from hts_tf.networks.action_head import ActionHead, Distribution
from hts_tf.networks.agent import Agent
from hts_tf.networks.cores import CoreMaker
from hts_tf.networks.initialisation import Seeds, dense
from hts_tf.networks.normalisation import ObservationNormaliser
from hts_tf.networks.torsos import Torso, layers_of, seen_by_critic, seen_by_policy, through

# From features to what a core makes of them, and what it remembers then.
_Remember = Callable[[tf.Tensor], tuple[tf.Tensor, trees.Tree]]

_OF_TRAINING = (
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)


@configurable(denylist=["spec", "seed"])
class ActorCritic(Agent):
    """A torso, perhaps a core that remembers, an action head and a linear head for the value.

    Orthogonal initialisation, gain sqrt(2) in the torso and 1 for the value head; biases zero.
    """

    def __init__(
        self,
        spec: specs.EnvironmentSpec,
        seed: int,
        torso: Torso | None = None,
        head: Callable[[specs.ArraySpec, Seeds], ActionHead] | None = None,
        core: CoreMaker | None = None,
        sequence_length: values.Count | None = None,
        value_torso: Torso | None = None,
        normalise_observations: bool = False,
    ) -> None:
        """Builds the agent; the same seed gives the same weights.

        Args:
          spec: of the environment.
          seed: of the initial weights.
          torso: builds the torso's layers, for example `@nature_cnn`; None takes what suits the
            observation (`choice.torso_for`).
          head: builds the action head; None takes the one that is for the environment's actions
            (`choice.head_for`).
          core: builds the core: `@lstm`, `@gru`; None for an agent that remembers nothing.
          sequence_length: in env steps, of the sequences into which algorithms that shuffle divide
            what a core learns from, each with the state that it began with; must divide
            sync_interval. None takes whole intervals.
          value_torso: builds a torso for the value alone, which also sees `specs.CRITIC_STATE`;
            None lets it share the other one, unless there is such a state. Beside a core, the value
            is made of both.
          normalise_observations: whether torsos see arrays of floats by `ObservationNormaliser`.

        Raises:
          ConfigError: torso or head do not fit the environment, or a core has a value torso beside
            it that sees no more than its own.
        """
        # Each layer casts, as precisely as it needs to; none is built in a scope of this one's.
        super().__init__(autocast=False, dtype="float32")
        if core and value_torso and not specs.has_critic_state(spec.observation):
            raise errors.ConfigError(
                "ActorCritic.value_torso has no memory: with ActorCritic.core bound, bind "
                "ActorCritic.value_torso = None"
            )
        seeds = Seeds(seed)
        self._spec = spec
        self._sequence_length = sequence_length
        seen_by_policy(spec.observation)  # complains where there is nothing but the critic's
        seen = seen_by_critic(spec.observation)
        self._normaliser = ObservationNormaliser(seen) if normalise_observations else None
        if self._normaliser is not None:
            seen = self._normaliser.normalised
        policy_sees = seen_by_policy(seen)
        with seeds.for_all():
            self._torso = layers_of(torso or choice.torso_for(policy_sees), policy_sees, seeds)
            self._core = core(seeds) if core else None
            self._head = (head or choice.head_for(spec.action))(spec.action, seeds)
            self._head.check_mask(spec.observation)
            value_torso = value_torso or choice.value_torso_for(seen)
            self._value_torso = layers_of(value_torso, seen, seeds) if value_torso else None
            self._value_head = dense(1, seeds, gain=1.0)
            # Else Keras would trace the whole call with symbols first. This one builds the layers.
            self.built = True
            asked = trees.map(
                lambda leaf: tf.zeros((2, *leaf.shape), leaf.dtype),
                (spec.observation, self.step.state),
            )
            policy, value = self(*asked)
        state = self._answers(asked[0], self._step(asked[1]))[2] if self._core else ()
        self._check_answers({"policy": policy, "value": value, "state": state})
        self._check_layers()

    def _check_answers(self, answers: dict[str, trees.Tree]) -> None:
        """Raises: ConfigError: what it answers to two observations is not what its parts say."""
        found = {name: (*leaf.shape,) for name, leaf in trees.named(answers)}
        said = {name: getattr(self.step, name) for name in answers}
        wanted = {name: (2, *leaf.shape) for name, leaf in trees.named(said)}
        for name in {**wanted, **found}:
            own, right = found.get(name), wanted.get(name)
            # In a sketch, a size may not be known.
            if (
                None in (own, right)
                or len(own) != len(right)
                or any(size not in (None, n) for size, n in zip(own, right, strict=True))
            ):
                raise errors.ConfigError(
                    f"the network's {name}, for two observations, must be "
                    f"{wanted.get(name, 'absent')} and is {found.get(name, 'absent')}: a torso "
                    "ends in vectors [B, n], a head computes what its `parameters` say, a core "
                    "remembers what its `state` says",
                    page="settings.md#a-torso-of-your-own",
                )

    def _check_layers(self) -> None:
        """Raises: ConfigError: what is to have an effect only in training has none here."""
        for layer in self._flatten_layers(include_self=False):
            drops = getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                what = "its statistics would never be updated; LayerNormalization has none"
            elif drops or (isinstance(layer, _OF_TRAINING) and getattr(layer, "rate", 1)):
                what = "it would have no effect"
            elif getattr(layer, "activity_regularizer", None) is not None:
                what = "its activity_regularizer would have no effect"
            else:
                continue
            raise errors.ConfigError(
                f"the network's {type(layer).__name__}: {what}, as layers are called alike in "
                "training and in play",
                page="settings.md#a-torso-of-your-own",
            )
        for variable in self.trainable_variables:
            if variable.regularizer is not None:
                raise errors.ConfigError(
                    f"the regularizer of {variable.path} would have no effect: only the "
                    "algorithm's loss has; an optimizer may have weight_decay, see PPO.optimizer",
                    page="settings.md#a-torso-of-your-own",
                )

    @property
    def step(self) -> rollouts.StepSpec:
        """See base class."""
        state = self._core.state if self._core else ()
        return rollouts.step_spec(self._spec, self._head.parameters, state)

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
        policy, value, _ = self._answers(observation, self._step(state))
        return policy, value

    def _answers(
        self, observation: trees.Tree, remember: _Remember
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, trees.Tree]:
        """Returns policy and value of observations [B, ...], and the state after them."""
        seen = seen_by_critic(observation)
        if self._normaliser is not None:
            seen = self._normaliser(seen)
        features, state = remember(through(self._torso, seen_by_policy(seen)))
        policy = self._head(features, observation)
        if self._value_torso is not None:
            remembered, features = features, through(self._value_torso, seen)
            if self._core:
                features = keras.ops.cast(features, remembered.dtype)
                features = keras.ops.concatenate([remembered, features], -1)
        return policy, keras.ops.squeeze(self._value_head(features), -1), state

    def _step(self, state: trees.Tree) -> _Remember:
        """Returns what advances a state by one observation; without a core nothing changes."""
        return lambda features: self._core(features, state) if self._core else (features, state)

    def act(self, observation: trees.Tree, state: trees.Tree, noise: tf.Tensor) -> rollouts.Answer:
        """See base class."""
        policy, value, state = self._answers(observation, self._step(state))
        return rollouts.Answer(self._head.act(policy, noise), policy, value, state)

    def evaluate(self, rollout: rollouts.Rollout) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See base class."""
        observation, spec = rollout.observation, self._spec.observation
        first, first_spec = tf.nest.flatten(observation)[0], tf.nest.flatten(spec)[0]
        num_leading = first.shape.rank - len(first_spec.shape)
        if num_leading == 1:
            return self(observation)
        leading = tf.shape(first)[:num_leading]
        rows = trees.map(lambda x, leaf: tf.reshape(x, (-1, *leaf.shape)), observation, spec)
        remember = self._unroll(rollout, leading) if self._core else self._step(())
        policy, value, _ = self._answers(rows, remember)
        return tf.nest.map_structure(
            lambda x: tf.reshape(x, tf.concat([leading, tf.shape(x)[1:]], 0)), (policy, value)
        )

    def _unroll(self, rollout: rollouts.Rollout, leading: tf.Tensor) -> _Remember:
        """Returns what advances through a rollout of sequences, whose first axes are `leading`."""
        ended = rollout.terminated | rollout.truncated
        begins = tf.concat([tf.zeros_like(ended[:1]), ended], 0)[: leading[0]]
        state = trees.map(lambda x: x[0], rollout.state)

        def remember(features: tf.Tensor) -> tuple[tf.Tensor, trees.Tree]:
            features = tf.reshape(features, tf.concat([leading, tf.shape(features)[1:]], 0))
            outputs = self._core.unroll(features, state, begins)
            return tf.reshape(outputs, (-1, outputs.shape[-1])), ()

        return remember

    def distribution(self, policy: dict[str, tf.Tensor]) -> Distribution:
        """See base class."""
        return self._head.distribution(policy)

    def statistics(self, rollout: rollouts.Rollout) -> trees.Tree:
        """See base class: moments of the observations, in which each counts once."""
        if self._normaliser is None:
            return ()
        # The last row is the next rollout's first.
        rows = trees.map(lambda x: x[:-1], seen_by_critic(rollout.observation))
        if not trees.is_left_out(rollout.counts):
            rows = trees.map(lambda x: tf.boolean_mask(x, rollout.counts), rows)
        return self._normaliser.moments(rows)

    def observe(self, statistics: trees.Tree) -> None:
        """See base class."""
        if self._normaliser is not None:
            self._normaliser.merge(statistics)
