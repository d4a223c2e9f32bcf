import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors
from hts_tf.algorithms import optimizers


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


def textbook_rmsprop(start, gradients, rate, epsilon, decay):
    """Mnih et al. 2016, section 4: g = decay g + (1 - decay) d^2, step = rate d / sqrt(g + eps)."""
    parameters, square = start.astype(np.float64), np.zeros(start.shape)
    for gradient in gradients:
        square = decay * square + (1 - decay) * gradient**2
        parameters -= rate * gradient / np.sqrt(square + epsilon)
    return parameters


def optimized(optimizer, start, gradients):
    """Where an optimizer takes a variable, compiled as in an update."""
    variable = tf.Variable(start)
    optimizer.build([variable])

    @tf.function
    def apply(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    for gradient in gradients:
        apply(tf.constant(gradient))
    return variable.numpy()


def start_and_gradients(scale):
    random = np.random.default_rng(0)
    gradients = (scale * random.normal(size=(30, 5))).astype(np.float32)
    return random.normal(size=5).astype(np.float32), gradients


scales = pytest.mark.parametrize("scale", [1e-4, 1.0])


@scales
def test_adam_is_the_textbook_s(scale):
    start, gradients = start_and_gradients(scale)
    actual = optimized(optimizers.Adam(0.01, epsilon=1e-4), start, gradients)
    expected = textbook_adam(start, gradients, 0.01, 1e-4)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)


@scales
def test_adam_without_momentum(scale):
    start, gradients = start_and_gradients(scale)
    actual = optimized(optimizers.adam(0.01), start, gradients)
    expected = textbook_adam(start, gradients, 0.01, 1e-7, beta_1=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)
    with_momentum = optimized(optimizers.adam(0.01, beta_1=0.9), start, gradients)
    assert np.abs(actual - with_momentum).max() > 1e-2


@scales
def test_rmsprop_is_the_textbook_s(scale):
    start, gradients = start_and_gradients(scale)
    actual = optimized(optimizers.rmsprop(0.01), start, gradients)
    expected = textbook_rmsprop(start, gradients, 0.01, 1e-5, 0.99)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (optimizers.adam, "beta_1", 1.1),
        (optimizers.adam, "beta_2", -0.1),
        (optimizers.adam, "epsilon", 0.0),
        (optimizers.rmsprop, "decay", 1.1),
        (optimizers.rmsprop, "epsilon", 0.0),
    ],
)
def test_bad_settings_name_their_binding(make, name, value):
    with pytest.raises(errors.ConfigError) as error:
        make(0.01, **{name: value})
    assert str(error.value).startswith(f"{make.__name__}.{name} ")
