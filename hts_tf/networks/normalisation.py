"""Normalisation of observations by running statistics, as it is usual for MuJoCo."""

import dataclasses

import keras
import tensorflow as tf

from hts_tf import specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.networks import torsos
from hts_tf.networks.moments import Moments, RunningMoments, moments
from hts_tf.networks.transparent import Transparent


@configurable(denylist=["spec"])
class ObservationNormaliser(Transparent):
    """Shifts and scales arrays of floats to mean 0 and variance 1, then clips them.

    Images, discrete observations, bools and whole numbers stay as they are. The statistics are
    variables that are not trained: they travel with the agent's parameters.

    Attributes:
      normalised: the spec of what comes out; what was normalised has a scale of 1 there.
      arithmetic: of the differences.
    """

    arithmetic = "float64"  # float32 has too few digits for those of large numbers

    def __init__(self, spec: trees.Tree, limit: values.Positive = 10.0) -> None:
        """Creates the statistics.

        Args:
          spec: of the observation.
          limit: what is normalised is clipped to +-limit.
        """
        super().__init__(dtype="float64", autocast=False)
        self._spec = spec
        self._limit = limit
        if limit != 10.0:  # of which files from before have nothing
            self.function = f"limit {limit:g}"
        self._moments = [
            RunningMoments(leaf.shape) for leaf in trees.leaves(spec) if _is_normalised(leaf)
        ]
        self.normalised = trees.map(
            lambda leaf: (
                dataclasses.replace(leaf, dtype="float32", scale=1.0)
                if _is_normalised(leaf)
                else leaf
            ),
            spec,
        )

    def call(self, observation: trees.Tree) -> trees.Tree:
        """Normalises [B, ...]; rows do not influence each other, not even in their rounding."""
        statistics = iter(self._moments)

        def normalise(leaf: specs.ArraySpec, x: tf.Tensor) -> tf.Tensor:
            if not _is_normalised(leaf):
                return x
            known = next(statistics)
            mean, inverse_deviation = (
                keras.ops.cast(array, self.arithmetic)
                for array in (known.mean, known.inverse_deviation())
            )
            x = (keras.ops.cast(x, self.arithmetic) - mean) * inverse_deviation
            return keras.ops.cast(keras.ops.clip(x, -self._limit, self._limit), "float32")

        return trees.map(normalise, self._spec, observation)

    def moments(self, observation: trees.Tree) -> list[Moments]:
        """Returns those of observations [T, B, ...], or [n, ...], for `merge`."""
        pairs = zip(trees.leaves(self._spec), trees.leaves(observation), strict=True)
        return [
            moments(tf.reshape(x, (-1, *leaf.shape))) for leaf, x in pairs if _is_normalised(leaf)
        ]

    def merge(self, found: list[Moments]) -> None:
        """Takes observations into the statistics of which only the moments are known."""
        for running, batch in zip(self._moments, found, strict=True):
            running.merge(batch)


def _is_normalised(leaf: specs.ArraySpec) -> bool:
    return leaf.dtype.startswith("float") and torsos.image_shape(leaf) is None
