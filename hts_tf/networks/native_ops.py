"""TensorFlow operations of our own, in C++: `native_ops.cc`.

`python -m hts_tf.networks.native_ops` compiles them, which `launch/setup.sh` does. Without them
everything works and gives the same bits, but updates of football networks take about a fifth
longer.
"""

import functools
import hashlib
import os
import shlex
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path
from types import ModuleType

from hts_tf import errors
from hts_tf.system import command

_SOURCE = Path(__file__).with_suffix(".cc")


def path() -> Path:
    """Returns where the library belongs: it fits one source and one TensorFlow."""
    fits = _SOURCE.read_bytes() + metadata.version("tensorflow").encode()
    digest = hashlib.sha256(fits).hexdigest()
    return Path(sysconfig.get_path("platlib")) / f"hts_tf_native_ops-{digest[:16]}.so"


def build() -> None:
    """Compiles the library with the C++ compiler named by CXX, or c++.

    Raises:
      ConfigError: the compiler fails, or there is none.
    """
    import tensorflow as tf  # not above, for the doctor, who only asks for the path

    library = path()
    partial = library.with_suffix(f".{os.getpid()}")
    compiler = [
        *shlex.split(os.environ.get("CXX", "c++")),
        *("-O3", "-w", "-fPIC", "-shared", str(_SOURCE)),
        *tf.sysconfig.get_compile_flags(),
        *tf.sysconfig.get_link_flags(),
        *("-o", str(partial)),
    ]
    try:
        failed = subprocess.run(compiler, check=False).returncode
    except FileNotFoundError as error:
        raise errors.ConfigError(
            f"there is no C++ compiler {compiler[0]!r}; install one, or name it by CXX"
        ) from error
    if failed:
        raise errors.ConfigError(f"cannot compile: {shlex.join(compiler)}")
    partial.rename(library)


@functools.cache
def load() -> ModuleType | None:
    """Returns the operations; None where they are not compiled, or a GPU computes instead."""
    import tensorflow as tf

    if not path().exists() or tf.config.list_physical_devices("GPU"):
        return None
    return tf.load_op_library(str(path()))


if __name__ == "__main__":
    command.end(build)
