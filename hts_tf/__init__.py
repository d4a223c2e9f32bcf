"""hts_tf: High-Throughput Synchronous Deep RL in TensorFlow.

The package itself imports nothing, so that executor processes, which import
parts of it, never load TensorFlow.
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """Lets those who write algorithms say `from hts_tf import losses, returns`."""
    if name in ("losses", "returns"):
        return importlib.import_module(f"hts_tf.algorithms.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
