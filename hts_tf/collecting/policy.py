"""Acting: an action is a pure function of (observation, parameters, noise), whatever the batch."""

import enum

import numpy as np
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.system import compute

# A batch of exactly one row takes another matrix kernel, with other rounding, than every larger
# batch. So a lone observation is computed beside a copy of itself.
_MIN_BATCH = 2

# Vector instructions round some functions (tanh, exp) otherwise than the scalar code that
# handles what is left over at an array's end. A multiple of this many rows leaves nothing over.
_ROWS_MULTIPLE = 16

# Of the self-check: observations, the most batch sizes, and different batches of each size.
_CHECK_OBSERVATIONS = 256
_CHECK_SIZES = 64
_CHECK_REPEATS = 3


class Batching(enum.Enum):
    """How observations are put into batches; each way is safer and slower than the one before."""

    ANY_SIZE = "batches of any size"
    FIXED_SIZE = "batches padded to one fixed size"
    ALONE = "one observation at a time"


class Policy:
    """The behaviour policy: what the actors run.

    Thread-safe. Results can be repeated as long as nobody assigns the network's parameters
    meanwhile (they change only at sync points, when no actor has work; but see `Asynchronous`).

    Attributes:
      batching: the fastest way that was found to give every observation the same bits, whatever
        the size of the batch, its place in it, and its company.
    """

    def __init__(self, network: ActorCritic, spec: specs.EnvironmentSpec, max_batch: int) -> None:
        """Compiles the policy and finds out how it may be batched on this machine.

        Args:
          network: the behaviour network.
          spec: of the environment.
          max_batch: the most observations in one call of `act`.
        """
        self._max_batch = max(max_batch, _MIN_BATCH)

        @tf.function(
            autograph=False,
            input_signature=[
                tf.TensorSpec((None, *spec.observation.shape), spec.observation.dtype),
                tf.TensorSpec((None, spec.num_actions), tf.float32),
            ],
        )
        def act(observation: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, ...]:
            logits, value = network(observation)
            action = tf.argmax(logits + noise, axis=-1, output_type=tf.int32)
            return tf.cast(action, tf.uint8), logits, value

        self._act = act
        for self.batching in Batching:
            if self.batching is Batching.ALONE or self._is_batch_invariant(spec):
                break

    def act(
        self, observation: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Chooses actions by the Gumbel-max trick: argmax(logits + noise).

        Args:
          observation: [B, ...], B at most `max_batch`.
          noise: [B, num_actions] float32, standard Gumbel numbers; zeros choose the most
            probable actions.

        Returns:
          action [B] uint8, logits [B, num_actions] float32, value [B] float32.
        """
        size = len(observation)
        if self.batching is Batching.ALONE:
            answers = [
                self._padded(observation[i : i + 1], noise[i : i + 1], _MIN_BATCH)
                for i in range(size)
            ]
            action, logits, value = map(np.concatenate, zip(*answers, strict=True))
            return action, logits, value
        if self.batching is Batching.FIXED_SIZE:
            rows = -(-self._max_batch // _ROWS_MULTIPLE) * _ROWS_MULTIPLE
        else:
            rows = _MIN_BATCH
        return self._padded(observation, noise, rows)

    def _padded(
        self, observation: np.ndarray, noise: np.ndarray, at_least: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Computes a batch of at least so many rows, filled up with copies of the last one."""
        size = len(observation)
        if size < at_least:
            rows = np.minimum(np.arange(at_least), size - 1)
            observation, noise = observation[rows], noise[rows]
        with compute.in_calling_thread():
            action, logits, value = self._act(observation, noise)
        return action.numpy()[:size], logits.numpy()[:size], value.numpy()[:size]

    def _is_batch_invariant(self, spec: specs.EnvironmentSpec) -> bool:
        """Computes the same observations in every batch size, at other places, in other company.

        Returns:
          Whether all results had the same bits. It is a property of this machine's kernels for
          this network, not a promise of TensorFlow's.
        """
        random = np.random.default_rng(0)
        count = max(_CHECK_OBSERVATIONS, self._max_batch)
        observation = example_observations(spec.observation, count, random)
        noise = random.gumbel(size=(count, spec.num_actions)).astype(np.float32)
        chunks = np.array_split(np.arange(count), -(-count // self._max_batch))
        answers = [self.act(observation[rows], noise[rows]) for rows in chunks]
        expected = [np.concatenate(parts) for parts in zip(*answers, strict=True)]
        sizes = np.arange(1, self._max_batch + 1)
        if len(sizes) > _CHECK_SIZES:
            sizes = random.choice(sizes, _CHECK_SIZES, replace=False)
        for size in np.repeat(sizes, _CHECK_REPEATS):
            rows = random.choice(count, size, replace=False)
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
        missing = random.random((count, *[1] * len(spec.shape)))  # from hardly any to nearly all
        return np.where(random.random(shape) < missing, spec.NO_PIXEL, positions).astype(spec.dtype)
    if np.dtype(spec.dtype).kind == "f":
        return random.standard_normal(shape).astype(spec.dtype)
    return random.integers(np.iinfo(spec.dtype).max, size=shape, endpoint=True, dtype=spec.dtype)
