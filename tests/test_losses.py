import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import losses

pytestmark = pytest.mark.usefixtures("op_determinism")

CLIP = 0.2
floats = st.floats(-3, 3, width=32)


def policy_loss_and_gradient(log_prob_ratio, advantages):
    log_prob_ratio = tf.constant(log_prob_ratio, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(log_prob_ratio)
        loss = losses.clipped_policy_loss(log_prob_ratio, tf.constant(advantages), CLIP)
    return float(loss), tape.gradient(loss, log_prob_ratio).numpy()


def value_loss_and_gradient(values, behaviour_values, returns):
    values = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = losses.clipped_value_loss(
            values, tf.constant(behaviour_values), tf.constant(returns), CLIP
        )
    return float(loss), tape.gradient(loss, values).numpy()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=5))
def test_policy_loss_against_equation_7(steps):
    objective = []
    for log_ratio, advantage in steps:
        ratio = np.exp(log_ratio)
        clipped = 1 - CLIP if ratio < 1 - CLIP else 1 + CLIP if ratio > 1 + CLIP else ratio
        objective.append(min(ratio * advantage, clipped * advantage))
    loss, _ = policy_loss_and_gradient(*map(list, zip(*steps, strict=True)))
    assert loss == pytest.approx(-np.mean(objective), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "clipped"),
    [
        (1.0, 1.0, False),
        (1.5, 1.0, True),  # already more likely than allowed
        (1.5, -1.0, False),  # but it may always be corrected
        (0.5, -1.0, True),
        (0.5, 1.0, False),
        (1.19, 1.0, False),
        (1.21, 1.0, True),
    ],
)
def test_policy_gradient_is_zero_exactly_where_clipped(ratio, advantage, clipped):
    _, gradient = policy_loss_and_gradient([np.log(ratio)], [advantage])
    expected = 0.0 if clipped else -ratio * advantage
    assert gradient[0] == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=5))
def test_value_loss_against_ppo2(steps):
    error = []
    for value, behaviour_value, target in steps:
        movement = max(-CLIP, min(CLIP, value - behaviour_value))
        error.append(max((value - target) ** 2, (behaviour_value + movement - target) ** 2))
    loss, _ = value_loss_and_gradient(*map(list, zip(*steps, strict=True)))
    assert loss == pytest.approx(0.5 * np.mean(error), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("value", "target", "clipped"),
    [
        (0.1, 1.0, False),
        (0.5, 1.0, True),  # has moved from 0 towards the target by more than 0.2
        (0.5, -1.0, False),  # has moved away from it
        (-0.5, -1.0, True),
        (-0.5, 1.0, False),
    ],
)
def test_value_gradient_is_zero_exactly_where_clipped(value, target, clipped):
    _, gradient = value_loss_and_gradient([value], [0.0], [target])
    expected = 0.0 if clipped else value - target
    assert gradient[0] == pytest.approx(expected, rel=1e-5)


def test_losses_are_means():
    one = policy_loss_and_gradient([0.1], [2.0])[0]
    assert policy_loss_and_gradient([0.1] * 4, [2.0] * 4)[0] == pytest.approx(one)
    one = value_loss_and_gradient([0.1], [0.0], [2.0])[0]
    assert value_loss_and_gradient([0.1] * 4, [0.0] * 4, [2.0] * 4)[0] == pytest.approx(one)
