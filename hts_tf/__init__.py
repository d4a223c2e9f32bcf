"""hts_tf: High-Throughput Synchronous Deep RL in TensorFlow.

The package itself imports nothing, so that executor processes, which import
parts of it, never load TensorFlow.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

# Python is looking for the module that `python -m hts_tf...` names; not for one of the user's.
if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].lstrip("-m").startswith("hts_tf"):
    from hts_tf.system import start

    start.begin()


# What is here without its module having been imported.
_ALGORITHMS = ("losses", "returns")
_FUNCTIONS = {"load": "loading", "train": "calling"}


def __getattr__(name: str) -> ModuleType | Callable[..., Any]:
    """Lets people say `hts_tf.load`, `hts_tf.train`, and `from hts_tf import losses, returns`."""
    if name in _ALGORITHMS:
        return importlib.import_module(f"hts_tf.algorithms.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"hts_tf.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
