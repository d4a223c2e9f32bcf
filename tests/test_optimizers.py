import numpy as np
import pytest
import tensorflow as tf

from hts_tf import optimizers


def textbook_adam(start, gradients, rate, epsilon, beta_1=0.9, beta_2=0.999):
    """Algorithm 1 of Kingma & Ba 2015, line by line."""
    parameters = start.astype(np.float64)
    first, second = np.zeros_like(parameters), np.zeros_like(parameters)
    for step, gradient in enumerate(gradients, start=1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        corrected_first = first / (1 - beta_1**step)
        corrected_second = second / (1 - beta_2**step)
        parameters -= rate * corrected_first / (np.sqrt(corrected_second) + epsilon)
    return parameters


@pytest.mark.parametrize("scale", [1e-4, 1.0])
def test_adam_is_the_textbook_s(scale):
    random = np.random.default_rng(0)
    start = random.normal(size=5).astype(np.float32)
    gradients = (scale * random.normal(size=(30, 5))).astype(np.float32)
    variable = tf.Variable(start)
    optimizer = optimizers.Adam(0.01, epsilon=1e-4)
    optimizer.build([variable])

    @tf.function
    def apply(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    for gradient in gradients:
        apply(tf.constant(gradient))
    expected = textbook_adam(start, gradients, 0.01, 1e-4)
    np.testing.assert_allclose(variable.numpy(), expected, rtol=0, atol=2e-6)
