"""Imports TensorFlow without its greetings, which would bury the first lines of every command.

To be imported before anything that imports TensorFlow. What goes wrong is still raised.
"""

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Drops what this process writes to file descriptor 2: C++ knows no `sys.stderr`."""
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(null)
        os.close(stderr)


with _without_stderr():
    import tensorflow as tf
    import tensorflow_probability  # noqa: F401

    tf.config.list_physical_devices()  # complains where there is no GPU
