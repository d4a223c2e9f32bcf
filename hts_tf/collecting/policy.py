"""Acting: a pure function of (observation, state, parameters, noise), whatever the batch."""

import enum
import math

import numpy as np
import tensorflow as tf

from hts_tf import configurables, errors, rollouts, specs, trees
from hts_tf.networks.agent import Agent
from hts_tf.system import compute

# A batch of exactly one row takes another matrix kernel, with other rounding, than every larger
# batch. So a lone observation is computed beside a copy of itself.
_MIN_BATCH = 2

# Vector instructions round some functions (tanh, exp) otherwise than the scalar code that
# handles what is left over at an array's end. A multiple of 16 rows leaves nothing over.
_VECTOR_ROWS = 16

# Of the self-check: observations, the most batch sizes, and different batches of each size.
_CHECK_OBSERVATIONS = 256
_CHECK_BYTES = 1 << 28  # of them; of large ones fewer will do
_CHECK_SIZES = 64
_CHECK_REPEATS = 3


class Batching(enum.Enum):
    """How observations are put into batches; each way is safer and slower than the one before."""

    ANY_SIZE = "batches of any size"
    MULTIPLES = f"batches padded to multiples of {compute.MATRIX_ROWS}"
    FIXED_SIZE = "batches padded to one fixed size"
    ALONE = "one observation at a time"


# Those whose batches grow with the number of observations.
FLEXIBLE = (Batching.ANY_SIZE, Batching.MULTIPLES)


class Policy:
    """The behaviour policy: what the actors run.

    Thread-safe. Results can be repeated as long as nobody assigns the agent's parameters
    meanwhile (they change only at sync points, when no actor has work; but see `Asynchronous`).

    Attributes:
      max_batch: the most observations in one call of `act`.
      batching: the fastest way that was found to give every observation the same bits, whatever
        the size of the batch, its place in it, and its company.
    """

    def __init__(self, agent: Agent, max_batch: int, batching: Batching | None = None) -> None:
        """Compiles the policy and finds out how it may be batched on this machine.

        Args:
          agent: the behaviour agent.
          max_batch: the most observations in one call of `act`.
          batching: if that is known already, from an agent of the same kind.

        Raises:
          ConfigError: the agent fails at observations that fit its spec.
        """
        self.max_batch = max(max_batch, _MIN_BATCH)
        self.draw_noise = agent.draw_noise
        self._state = agent.step.state

        @tf.function(
            autograph=False,
            input_signature=trees.map(
                lambda leaf: tf.TensorSpec((None, *leaf.shape), leaf.dtype),
                (agent.step.observation, agent.noise, agent.step.state),
            ),
        )
        def act(observation: trees.Tree, noise: tf.Tensor, state: trees.Tree) -> rollouts.Answer:
            return agent.act(observation, state, noise)

        with compute.one_after_the_other():  # traced while gin has what it was configured by
            # Called as it is: `tf.function` would look at what it is given first, for as long as a
            # small network takes.
            self._act = act.get_concrete_function()
        if batching is not None:
            self.batching = batching
            return
        try:
            for self.batching in Batching:
                if self.batching is Batching.ALONE or self._is_batch_invariant(agent):
                    break
        except tf.errors.InvalidArgumentError as error:
            raise errors.ConfigError(
                "the network cannot take all that its environment's spaces permit, such as a "
                "number of uint8 from 0 to 255 where an embedding has fewer rows: clip it before, "
                "or have the space say how many there are (MultiDiscrete). "
                f"{configurables.shorten(error.message)}",
                page="settings.md#a-torso-of-your-own",
            ) from error

    def act(
        self, observation: trees.Tree, noise: np.ndarray, state: trees.Tree = ()
    ) -> rollouts.Answer:
        """Chooses actions.

        Args:
          observation: [B, ...], B at most `max_batch`.
          noise: [B, ...], see `draw_noise`; zeros choose the most probable actions.
          state: [B, ...], what an agent that remembers does remember.
        """
        questions = (observation, noise, state)
        if self.batching is Batching.ALONE:
            answers = [
                self._padded(_rows(questions, slice(i, i + 1)), _MIN_BATCH)
                for i in range(len(noise))
            ]
            return trees.joined(answers)
        rows = max(len(noise), _MIN_BATCH)
        if self.batching is Batching.MULTIPLES:
            rows = _rounded_up(rows, compute.MATRIX_ROWS)
        elif self.batching is Batching.FIXED_SIZE:
            rows = _rounded_up(self.max_batch, math.lcm(compute.MATRIX_ROWS, _VECTOR_ROWS))
        return self._padded(questions, rows)

    def initial_state(self, shape: tuple[int, ...]) -> trees.Tree:
        """Returns what an agent that remembers begins episodes with, [*shape, ...]: zeros."""
        return trees.map(lambda leaf: np.zeros((*shape, *leaf.shape), leaf.dtype), self._state)

    def _padded(
        self, questions: tuple[trees.Tree, np.ndarray, trees.Tree], rows: int
    ) -> rollouts.Answer:
        """Computes a batch of so many rows, filled up with copies of the last one."""
        size = len(questions[1])
        if size < rows:
            questions = _rows(questions, np.minimum(np.arange(rows), size - 1))
        with compute.one_after_the_other():
            answer = self._act(*questions)
        return trees.map(lambda tensor: tensor.numpy()[:size], answer)

    def _is_batch_invariant(self, agent: Agent) -> bool:
        """Computes the same observations in every batch size, at other places, in other company.

        Returns:
          Whether all results had the same bits. It is a property of this machine's kernels for
          this agent, not a promise of TensorFlow's.
        """
        random = np.random.default_rng(0)
        each = sum(leaf.nbytes for leaf in trees.leaves(agent.step.observation))
        count = max(self.max_batch, min(_CHECK_OBSERVATIONS, _CHECK_BYTES // each))
        questions = (
            trees.map(lambda s: example_observations(s, count, random), agent.step.observation),
            agent.draw_noise(random, (count,)),
            trees.map(lambda s: example_observations(s, count, random), agent.step.state),
        )
        chunks = np.array_split(np.arange(count), -(-count // self.max_batch))
        expected = trees.joined([self.act(*_rows(questions, rows)) for rows in chunks])
        sizes = np.arange(1, self.max_batch + 1)
        if len(sizes) > _CHECK_SIZES:
            sizes = random.choice(sizes, _CHECK_SIZES, replace=False)
        for size in np.repeat(sizes, _CHECK_REPEATS):
            rows = random.choice(count, size, replace=False)
            actual = self.act(*_rows(questions, rows))
            same = trees.map(lambda a, b: a.tobytes() == b.tobytes(), actual, _rows(expected, rows))
            if not all(trees.leaves(same)):
                return False
        return True


def _rounded_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _rows(tree: trees.Tree, rows: np.ndarray | slice) -> trees.Tree:
    return trees.map(lambda array: array[rows], tree)


def example_observations(
    spec: specs.ArraySpec, count: int, random: np.random.Generator
) -> np.ndarray:
    """Makes up observations that fit a spec: [count, ...] of its shape and dtype.

    Choices are within their values: others would be zeros to the network, and tell nothing.
    """
    shape = (count, *spec.shape)
    if isinstance(spec, specs.DiscreteSpec | specs.MultiDiscreteSpec):
        return random.integers(specs.values_of(spec), size=shape).astype(spec.dtype)
    if isinstance(spec, specs.PixelMapSpec):
        positions = random.integers(spec.height * spec.width, size=shape)
        missing = random.random((count, *[1] * len(spec.shape)))  # from hardly any to nearly all
        return np.where(random.random(shape) < missing, spec.NO_PIXEL, positions).astype(spec.dtype)
    kind = np.dtype(spec.dtype).kind
    if kind == "f":
        drawn = "float64" if spec.dtype == "float64" else "float32"
        return random.standard_normal(shape, dtype=drawn).astype(spec.dtype, copy=False)
    highest = 1 if kind == "b" else np.iinfo(spec.dtype).max
    return random.integers(highest, size=shape, endpoint=True, dtype=spec.dtype)


def ask(policy: Policy, *questions: trees.Tree) -> rollouts.Answer:
    """Has a policy answer all players of n environments together.

    Args:
      policy: takes batches of n * P.
      *questions: observation, noise and state, [n, P, ...]; see `Policy.act`.

    Returns:
      Its answers, [n, P, ...].
    """
    shape = questions[1].shape[:2]
    rows = trees.map(lambda array: array.reshape(-1, *array.shape[2:]), questions)
    return trees.map(lambda array: array.reshape(*shape, *array.shape[1:]), policy.act(*rows))
