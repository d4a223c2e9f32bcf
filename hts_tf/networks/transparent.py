"""What makes a layer of ours out of Keras's own, for models that are to be read without us."""

from typing import Any

import keras


class Transparent(keras.layers.Layer):
    """A layer that a functional model of Keras's looks through.

    The model gets the operations of its `call`, not the layer, so that its file needs no code but
    Keras's. For that `call` may only use `keras.ops` and Keras's layers.

    Attributes:
      function: what its class and the shapes of its weights do not tell of it, in words.
    """

    function: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes with a model's symbols, where Keras would make a node of the layer."""
        given = keras.tree.flatten((args, kwargs))
        if any(isinstance(x, keras.KerasTensor) for x in given):
            return self.call(*args, **kwargs)
        return super().__call__(*args, **kwargs)
