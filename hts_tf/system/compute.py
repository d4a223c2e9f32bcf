"""How TensorFlow computes in this process: determinism, threads and precision."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal

import gin
import keras
import tensorflow as tf

from hts_tf import errors, values
from hts_tf.configurables import configurable
from hts_tf.system import processors

# Matrix kernels for processors with AVX2 take six rows at a time, and what is left over in another
# way, with other rounding; large matrices they divide where that changes. Where a row must not
# depend on how many others there are, matrices have a multiple of so many: of these it held for
# all sizes that were tried, up to 9,600. (Kernels for AVX-512 mind only a single row.)
MATRIX_ROWS = 12


class InUseError(errors.ConfigError):
    """TensorFlow was in use before it was set up."""


@configurable("Compute")
def configure(
    intra_op_threads: values.Workers | Literal["all"] | None = None,
    inter_op_threads: values.Workers = 8,
    precision: Literal["float32", "mixed_bfloat16"] = "float32",
) -> None:
    """Sets TensorFlow up; to be called once, before its first operation.

    Args:
      intra_op_threads: threads that one operation may use; None takes half of the usable cores and
        leaves the others to executors and actors. (Idle ones spin, so more is not faster.) 'all'
        takes all of them, for networks that take far more time than the environments.
      inter_op_threads: threads that run the learner's operations, each where one is free. An
        actor's batch takes one of them for all of its own, see `one_after_the_other`.
      precision: 'float32', or 'mixed_bfloat16': dense layers and convolutions multiply in bfloat16,
        which some processors (AMX, AVX512-BF16) and GPUs do faster. Parameters, the first two
        convolutions of football's maps, heads, losses and optimizer stay float32.

    Raises:
      ConfigError: a setting is out of range.
      InUseError: it is too late for that.
    """
    if keras.backend.backend() != "tensorflow":  # imported by somebody before us
        raise errors.ConfigError(
            f"Keras runs on {keras.backend.backend()}, not on TensorFlow: unset KERAS_BACKEND"
        )
    # What a keras.json may say otherwise.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.mixed_precision.set_dtype_policy(precision)
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # it warns of agents that are built again
    cores = processors.usable_cores()
    threads = cores if intra_op_threads == "all" else intra_op_threads or max(1, cores // 2)
    try:
        for gpu in tf.config.list_physical_devices("GPU"):  # else it would take all of its memory
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise InUseError(
            "TensorFlow was in use before it was set up: a module that the configuration imports, "
            "or an object that it binds, makes tensors or an optimizer as soon as it is imported "
            "or built; make them later, an algorithm's in `make_optimizer`"
        ) from error


def use_precision(precision: str | None = None) -> None:
    """Has what is built from now on compute as precisely as is said.

    For who builds what several runs have trained.

    Args:
      precision: see `configure`; None for what the loaded configuration says.
    """
    precision = precision or gin.get_bindings("Compute").get("precision", "float32")
    keras.mixed_precision.set_dtype_policy(precision)


@contextlib.contextmanager
def as_a_guest() -> Iterator[None]:
    """Has TensorFlow and Keras be as before after this, whatever `configure` does within.

    But for threads, and where there are GPUs: determinism, as kernels are chosen later there, and
    that they take no more memory than they need.
    """
    with contextlib.ExitStack() as after, precision_of_its_own():
        after.callback(keras.config.set_floatx, keras.config.floatx())
        after.callback(keras.config.set_epsilon, keras.config.epsilon())
        after.callback(keras.config.set_image_data_format, keras.config.image_data_format())
        after.callback(tf.get_logger().setLevel, tf.get_logger().level)
        if not tf.config.list_physical_devices("GPU"):
            after.callback(_determinism_as_it_is())
        yield


def _determinism_as_it_is() -> Callable[[], None]:
    """Returns what brings it back, if TensorFlow, which has no public way, still has that one."""
    try:
        from tensorflow.python.framework import config

        if not config.is_op_determinism_enabled():
            return config.disable_op_determinism
    except (ImportError, AttributeError):
        pass
    return lambda: None


@contextlib.contextmanager
def precision_of_its_own() -> Iterator[None]:
    """Has what is built after this compute as precisely as before, whatever is said within.

    Layers know how precisely they compute from when they are built.
    """
    before = keras.mixed_precision.dtype_policy()
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def require_inter_op_threads(number: int, why: str) -> None:
    """Raises: ConfigError: there are fewer of them, after `configure`."""
    found = tf.config.threading.get_inter_op_parallelism_threads()
    if found < number:
        raise errors.ConfigError(
            f"Compute.inter_op_threads = {found} must be at least {number} {why}"
        )


def one_after_the_other() -> contextlib.AbstractContextManager:
    """Returns a context in which a `tf.function` runs its operations one after the other.

    All in one thread of TensorFlow's, while the caller waits. By default each of them may go to
    another one, which costs an actor's call some 65 microseconds of processor time more, and queues
    actors behind the learner. To be entered for tracing, too.
    """
    try:  # TensorFlow has no public way
        from tensorflow.python.eager import context

        return context.function_executor_type("SINGLE_THREADED_EXECUTOR")
    except (ImportError, AttributeError):
        return contextlib.nullcontext()


def intra_op_threads() -> int:
    """Returns how many threads one operation may use, after `configure`."""
    return tf.config.threading.get_intra_op_parallelism_threads()


def describe() -> dict[str, str]:
    """Returns how TensorFlow computes here, for the scope of reproducibility (see `scope`)."""
    details = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "intra-op threads": str(intra_op_threads()),
        "precision": keras.mixed_precision.dtype_policy().name,
        "inter-op threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "GPUs": ", ".join(details) or "none",
    }
