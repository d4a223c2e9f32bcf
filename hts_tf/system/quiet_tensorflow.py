"""Imports TensorFlow without its greetings, and without what Keras brings along only to draw with.

The greetings would bury the first lines of every command. What Keras imports because it happens to
be installed takes a quarter of the time and 60 MB, and looking for garbage among what is only
being loaded another quarter. To be imported before anything that imports TensorFlow. What goes
wrong is still raised.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's other projects take

_OPTIONAL = ("matplotlib", "pandas", "cv2", "scipy")


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


@contextlib.contextmanager
def _without_optional() -> Iterator[None]:
    """Lets Keras find that they are not installed; others may import them later."""
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Neither meanwhile, nor ever again of what is there then: all of it stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


with _without_stderr():
    with _without_optional(), _without_garbage_collection():
        import tensorflow as tf

    tf.config.list_physical_devices()  # complains where there is no GPU
