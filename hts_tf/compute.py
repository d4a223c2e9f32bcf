"""How TensorFlow computes in this process: determinism and threads."""

import os

import gin
import tensorflow as tf


@gin.configurable("Compute")
def configure(intra_op_threads: int | None = None, inter_op_threads: int = 8) -> None:
    """Sets TensorFlow up; to be called once, before its first operation.

    Args:
      intra_op_threads: threads that one operation may use; None takes half of the cores and leaves
        the others to executors and actors. (Idle ones spin, so more is not faster.)
      inter_op_threads: threads that run operations, for all actors and the learner together.
        With fewer than there are of these, actors would queue behind the learner.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
    tf.config.threading.set_intra_op_parallelism_threads(
        intra_op_threads or max(1, (os.cpu_count() or 1) // 2)
    )


def describe() -> dict[str, str]:
    """Returns how TensorFlow computes here, for the scope of reproducibility (see `scope`)."""
    details = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "intra-op threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "inter-op threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "GPUs": ", ".join(details) or "none",
    }
