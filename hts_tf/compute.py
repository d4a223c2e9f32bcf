"""How TensorFlow computes in this process: determinism and threads."""

import gin
import tensorflow as tf


@gin.configurable("Compute")
def configure(intra_op_threads: int | None = None) -> None:
    """Sets TensorFlow up; to be called once, before its first operation.

    Operations run in the thread that asks for them, so actors and learner never queue behind
    each other in a shared pool and the operating system alone divides the cores.

    Args:
      intra_op_threads: threads that one operation may use; None takes one for each core.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_inter_op_parallelism_threads(-1)
    tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads or 0)
