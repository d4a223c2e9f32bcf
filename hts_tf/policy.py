"""Acting: an action is a pure function of (observation, parameters, noise), whatever the batch."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from hts_tf import networks, specs

# A batch of exactly one row takes another matrix kernel, with other rounding, than every larger
# batch. So a lone observation is computed beside a copy of itself.
_MIN_BATCH = 2


class Policy:
    """The behaviour policy: what the actors run.

    Thread-safe, as long as nobody assigns the network's parameters meanwhile (they change only
    at sync points, when no actor has work).

    Attributes:
      fixed_batch: None where any batch size gives the same bits; otherwise the one size to which
        every batch is padded.
    """

    def __init__(
        self, network: networks.ActorCritic, spec: specs.EnvironmentSpec, max_batch: int
    ) -> None:
        """Compiles the policy and checks that rows of a batch do not influence each other.

        Args:
          network: the behaviour network.
          spec: of the environment.
          max_batch: the most observations in one call of `act`.
        """
        self._max_batch = max(max_batch, _MIN_BATCH)
        self.fixed_batch: int | None = None

        @tf.function(
            input_signature=[
                tf.TensorSpec((None, *spec.observation.shape), spec.observation.dtype),
                tf.TensorSpec((None, spec.num_actions), tf.float32),
            ]
        )
        def act(observation: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, ...]:
            logits, value = network(observation)
            action = tf.argmax(logits + noise, axis=-1, output_type=tf.int32)
            log_prob = tfp.distributions.Categorical(logits=logits).log_prob(action)
            return tf.cast(action, tf.uint8), log_prob, value

        self._act = act
        if not self._is_batch_invariant(spec):
            self.fixed_batch = self._max_batch

    def act(
        self, observation: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Chooses actions by the Gumbel-max trick.

        Args:
          observation: [B, ...], B at most `max_batch`.
          noise: [B, num_actions] float32, standard Gumbel numbers; zeros choose the most
            probable actions.

        Returns:
          action [B] uint8, log_prob [B] float32 under this policy, value [B] float32.
        """
        size = len(observation)
        padded = max(size, self.fixed_batch or _MIN_BATCH)
        if padded > size:
            rows = np.minimum(np.arange(padded), size - 1)
            observation, noise = observation[rows], noise[rows]
        action, log_prob, value = self._act(observation, noise)
        return action.numpy()[:size], log_prob.numpy()[:size], value.numpy()[:size]

    def _is_batch_invariant(self, spec: specs.EnvironmentSpec) -> bool:
        """Computes the same observations in every batch size, at other places, in other company.

        Returns:
          Whether all results had the same bits. It is a property of this machine's kernels for
          this network, not a promise of TensorFlow's.
        """
        random = np.random.default_rng(0)
        size = self._max_batch
        observation = example_observations(spec.observation, size, random)
        noise = random.gumbel(size=(size, spec.num_actions)).astype(np.float32)
        expected = self.act(observation, noise)
        for batch in range(1, size + 1):
            rows = random.permutation(size)[:batch]
            actual = self.act(observation[rows], noise[rows])
            for a, b in zip(actual, expected, strict=True):
                if a.tobytes() != b[rows].tobytes():
                    return False
        return True


def example_observations(
    spec: specs.ArraySpec, count: int, random: np.random.Generator
) -> np.ndarray:
    """Makes up observations that fit a spec: [count, ...] of its shape and dtype."""
    shape = (count, *spec.shape)
    if isinstance(spec, specs.PixelMapSpec):
        positions = random.integers(spec.height * spec.width, size=shape)
        return np.where(random.random(shape) < 0.1, spec.NO_PIXEL, positions).astype(spec.dtype)
    if np.dtype(spec.dtype).kind == "f":
        return random.standard_normal(shape).astype(spec.dtype)
    return random.integers(np.iinfo(spec.dtype).max, size=shape, endpoint=True, dtype=spec.dtype)
