"""The torso for dicts and tuples: a torso for each entry, beside each other."""

import functools
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.torsos import (
    Torso,
    image_shape,
    layers_of,
    mlp,
    nature_cnn,
    small_cnn,
    through,
)
from hts_tf.networks.transparent import Transparent

# What the three convolutions of the Nature CNN need, and what a convolution that is 3 wide does.
_NATURE_SIDE, _SMALL_SIDE = 36, 3


class Branches(Transparent):
    """Takes each entry through layers of its own, and concatenates what comes of them."""

    def __init__(self, branches: Mapping[str | int, Sequence[keras.layers.Layer]]) -> None:
        """Takes the layers of each key of the dict, or index of the tuple."""
        super().__init__()
        self._keys = list(branches)
        self._branches = [[*layers, keras.layers.Flatten()] for layers in branches.values()]

    def call(self, observation: trees.Tree) -> tf.Tensor:
        """Returns features [B, n] of a dict or tuple of [B, ...]."""
        made = []
        for key, layers in zip(self._keys, self._branches, strict=True):
            features = through(layers, observation[key])
            made.append(keras.ops.cast(features, self.compute_dtype))
        return keras.ops.concatenate(made, axis=-1)


@configurable(denylist=["spec", "seeds"])
def by_entry(
    spec: trees.Tree, seeds: Seeds, torsos: dict[str, Torso] | None = None
) -> list[keras.layers.Layer]:
    """Layers of a torso that has one for each entry of a dict or tuple, in order of their names.

    Args:
      spec: of the observation: a dict or tuple, of anything.
      seeds: of the initialisers.
      torsos: of some entries by name, such as {'image': @nature_cnn}, or {'0': @mlp} for a tuple's
        first one; those that are not named get what suits them.

    Raises:
      ConfigError: the observation has no entries, or none of that name.
    """
    if isinstance(spec, specs.ArraySpec):
        raise errors.ConfigError(
            "the torso @by_entry is for a dict or tuple, not for an array "
            f"{spec.shape}: bind another"
        )
    torsos = torsos or {}
    keys = sorted(spec) if isinstance(spec, dict) else range(len(spec))
    names = [str(key) for key in keys]
    for name in torsos:
        if name not in names:
            raise errors.ConfigError(
                f"by_entry.torsos names {name!r}, but the observation has {', '.join(names)}"
            )
    branches = {}
    for key, name in zip(keys, names, strict=True):
        torso = torsos.get(name) or suited(spec[key])
        if torso is by_entry:
            torso = functools.partial(by_entry, torsos={})  # the names are not of its entries
        branches[key] = layers_of(torso, spec[key], seeds)
    return [Branches(branches)]


def suited(spec: trees.Tree) -> Torso:
    """Returns the torso for a kind of observation, see `choice.torso_for`."""
    if not isinstance(spec, specs.ArraySpec):
        leaves = trees.leaves(spec)
        return by_entry if any(suited(leaf) is not mlp for leaf in leaves) else mlp
    if isinstance(spec, specs.PixelMapSpec):
        return nature_cnn
    shape = image_shape(spec)
    side = min(shape[:2]) if shape else 0
    return nature_cnn if side >= _NATURE_SIDE else small_cnn if side >= _SMALL_SIDE else mlp
