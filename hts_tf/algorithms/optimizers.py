"""The optimizers that the methods were tuned with, some of which are not Keras's own."""

import keras
import tensorflow as tf

from hts_tf import values
from hts_tf.configurables import configurable


class Adam(keras.optimizers.Adam):
    """Adam as in Algorithm 1 of Kingma & Ba 2015 (arXiv 1412.6980), and in PyTorch.

    Its epsilon is added to the bias-corrected second moment. Keras's is the paper's "epsilon hat",
    added before the correction: in the first updates as if it were some 30 times larger, which
    damps them where gradients are as small as epsilon.
    """

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """See base class. One pass over the memory, where Keras's takes a dozen."""
        step = tf.cast(self.iterations.value + 1, tf.float32)
        beta_2_power = tf.pow(self.beta_2, step)
        slot = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[slot].value.handle,
            v=self._velocities[slot].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=beta_2_power,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon * tf.sqrt(1.0 - beta_2_power),
            grad=gradient,
        )


@configurable(denylist=["learning_rate"])
def adam(
    learning_rate: float,
    beta_1: values.Decay = 0.0,
    beta_2: values.Decay = 0.999,
    epsilon: values.Positive = 1e-7,
) -> keras.optimizers.Optimizer:
    """Returns the Adam above, by default without momentum, as SEED RL's IMPALA on DeepMind Lab.

    Args:
      learning_rate: may be reassigned later.
      beta_1: how much of the mean gradient stays in each step, 0 to 1.
      beta_2: how much of the mean squared gradient stays in each step, 0 to 1.
      epsilon: added to the root.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """
    return Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


@configurable(denylist=["learning_rate"])
def rmsprop(
    learning_rate: float, decay: values.Decay = 0.99, epsilon: values.Positive = 1e-5
) -> keras.optimizers.Optimizer:
    """Returns RMSProp as in Mnih et al. 2016 (arXiv 1602.01783, section 4), and Keras.

    Epsilon stands inside the root, as in TensorFlow and OpenAI baselines' A2C, from which its
    defaults are; PyTorch adds it outside, where the same number is some 300 times smaller. The mean
    square starts from 0 (in TensorFlow 1 and baselines from 1, which made the first steps tiny).

    Args:
      learning_rate: may be reassigned later.
      decay: how much of the mean squared gradient stays in each step, 0 to 1.
      epsilon: added to the mean squared gradient.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """
    return keras.optimizers.RMSprop(learning_rate, rho=decay, epsilon=epsilon)
