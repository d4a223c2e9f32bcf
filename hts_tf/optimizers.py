"""Optimizers where Keras's own differ from what the methods were tuned with."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam as in Algorithm 1 of Kingma & Ba 2015 (arXiv 1412.6980), and in PyTorch.

    Its epsilon is added to the bias-corrected second moment. Keras's is the paper's "epsilon hat",
    added before the correction: in the first updates as if it were some 30 times larger, which
    damps them where gradients are as small as epsilon.
    """

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """See base class."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        epsilon = self.epsilon
        self.epsilon = epsilon * tf.sqrt(1.0 - tf.pow(tf.constant(self.beta_2), step))
        try:
            super().update_step(gradient, variable, learning_rate)
        finally:
            self.epsilon = epsilon
