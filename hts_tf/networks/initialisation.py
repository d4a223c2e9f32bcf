"""What the first parameters of layers are drawn by."""

import contextlib
import random
from collections.abc import Iterator

import keras


class Seeds:
    """Hands every initialiser a seed of its own, in the order of asking."""

    def __init__(self, seed: int) -> None:
        self._next = seed

    def orthogonal(self, gain: float) -> keras.initializers.Initializer:
        """Returns an orthogonal initialiser with the next seed."""
        self._next += 1
        return keras.initializers.Orthogonal(gain, seed=self._next)

    @contextlib.contextmanager
    def for_all(self) -> Iterator[None]:
        """Has initialisers that are made without a seed get theirs from here, too.

        Such as those of a layer that a user's torso makes as Keras' examples do. Keras draws their
        seeds from Python's `random`, which is as it was afterwards.
        """
        before = random.getstate()
        random.seed(self._next)
        try:
            yield
        finally:
            random.setstate(before)


def dense(units: int, seeds: Seeds, gain: float) -> keras.layers.Dense:
    """Returns the linear layer of a head, in float32."""
    kernel = seeds.orthogonal(gain)
    return keras.layers.Dense(units, dtype="float32", kernel_initializer=kernel)
