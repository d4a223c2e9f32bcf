"""Cores: the recurrent part of an agent, between torso and heads."""

from collections.abc import Callable

import keras
import tensorflow as tf

from hts_tf import specs, values
from hts_tf.configurables import configurable
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.transparent import Transparent

State = dict[str, tf.Tensor]


class Core(Transparent, keras.Model):
    """One of Keras's recurrent cells, with a name for each array that it remembers.

    All of them are zero when an episode begins. Computes in float32.
    """

    def __init__(self, cell: keras.layers.Layer, names: tuple[str, ...]) -> None:
        """Takes a cell, and the names of its states in their order."""
        super().__init__(dtype="float32")
        self._cell = cell
        self._names = names

    @property
    def state(self) -> dict[str, specs.ArraySpec]:
        """What it remembers."""
        return {
            name: specs.ArraySpec((size,), "float32")
            for name, size in zip(self._names, _sizes(self._cell), strict=True)
        }

    def call(self, features: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Advances by one observation.

        Args:
          features: [B, ...], by the torso.
          state: [B, ...], before it.

        Returns:
          Its output [B, ...], and the state after it.
        """
        output, after = self._cell(features, [state[name] for name in self._names])
        return output, dict(zip(self._names, after, strict=True))

    def unroll(self, features: tf.Tensor, state: State, begins: tf.Tensor) -> tf.Tensor:
        """Advances by one observation after another.

        Args:
          features: [L, B, F], by the torso.
          state: [B, ...], before the first.
          begins: [L, B] bool, where an observation is the first of its episode, other than at 0,
            where the state says it.

        Returns:
          Its outputs, [L, B, ...].
        """

        def advance(before: tuple[tf.Tensor, State], now: tuple[tf.Tensor, tf.Tensor]) -> tuple:
            features, begins = now
            keep = tf.cast(~begins, tf.float32)[:, None]
            return self(features, {name: keep * array for name, array in before[1].items()})

        nothing = tf.zeros_like(state[self._names[0]])  # shaped as outputs are
        outputs, _ = tf.scan(advance, (features, begins), initializer=(nothing, state))
        return outputs


def _sizes(cell: keras.layers.Layer) -> tuple[int, ...]:
    size = cell.state_size
    return tuple(size) if isinstance(size, list | tuple) else (size,)


CoreMaker = Callable[[Seeds], Core]


@configurable(denylist=["seeds"])
def lstm(seeds: Seeds, units: values.Size = 256) -> Core:
    """Long short-term memory (Hochreiter and Schmidhuber 1997), Keras's cell.

    Orthogonal initialisation; the forget gate's bias is 1 (Jozefowicz et al. 2015), others zero.

    Args:
      seeds: of the initialisers.
      units: of the hidden state `h` and of the cell state `c`.
    """
    return Core(keras.layers.LSTMCell(units, **_initialisers(seeds)), ("h", "c"))


@configurable(denylist=["seeds"])
def gru(seeds: Seeds, units: values.Size = 256) -> Core:
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078), Keras's cell.

    Orthogonal initialisation; biases zero.

    Args:
      seeds: of the initialisers.
      units: of the hidden state `h`.
    """
    return Core(keras.layers.GRUCell(units, **_initialisers(seeds)), ("h",))


def _initialisers(seeds: Seeds) -> dict[str, object]:
    return {
        "kernel_initializer": seeds.orthogonal(1.0),
        "recurrent_initializer": seeds.orthogonal(1.0),
        "dtype": "float32",
        "seed": 0,  # of dropout, which there is none of; Keras keeps it among the variables
    }
