"""hts_tf: High-Throughput Synchronous Deep RL in TensorFlow.

The package itself imports nothing, so that executor processes, which import
parts of it, never load TensorFlow.
"""

import importlib
import sys
from types import ModuleType

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # Python is looking for the module that `python -m hts_tf...` names
    from hts_tf.system import start

    start.begin()


def __getattr__(name: str) -> ModuleType:
    """Lets those who write algorithms say `from hts_tf import losses, returns`."""
    if name in ("losses", "returns"):
        return importlib.import_module(f"hts_tf.algorithms.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
