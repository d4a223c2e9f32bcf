import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.algorithms import losses
from hts_tf.networks.categorical import CategoricalDistribution

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


@settings(max_examples=50)
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


@settings(max_examples=50)
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


def test_policies_that_are_far_apart_make_no_nan():
    """Of one that has moved on there and back again, as after an update with lag."""
    behaviour, proximal, target = (tf.constant([x]) for x in (0.0, -5000.0, -4900.5))
    with tf.GradientTape() as tape:
        tape.watch(target)
        importance = tf.exp(losses.log_ratio(proximal, behaviour))
        ratio = losses.log_ratio(target, proximal)
        loss = losses.clipped_policy_loss(ratio, -importance, clip=0.2)
    assert importance.numpy() == 0
    assert (loss.numpy(), tape.gradient(loss, target).numpy()) == (0, 0)


@pytest.mark.parametrize("x", [-30.0, 0.0, 19.5])
def test_ratios_of_probabilities_are_what_they_are(x):
    log_prob = tf.constant([x, 100.0])
    with tf.GradientTape() as tape:
        tape.watch(log_prob)
        ratio = losses.log_ratio(log_prob, tf.zeros(2), tf.constant([True, False]))
    assert ratio.numpy().tolist() == [x, 0]
    assert tape.gradient(ratio, log_prob).numpy().tolist() == [1, 0]


def test_losses_are_means():
    one = policy_loss_and_gradient([0.1], [2.0])[0]
    assert policy_loss_and_gradient([0.1] * 4, [2.0] * 4)[0] == pytest.approx(one)
    one = value_loss_and_gradient([0.1], [0.0], [2.0])[0]
    assert value_loss_and_gradient([0.1] * 4, [0.0] * 4, [2.0] * 4)[0] == pytest.approx(one)


def actor_critic(logits, values, actions, advantages, returns, value_cost=0.5, entropy_cost=0.1):
    """The loss, its gradients of logits and values, and the logs."""
    logits, values = tf.constant(logits, tf.float32), tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([logits, values])
        loss, logs = losses.actor_critic_loss(
            CategoricalDistribution(logits),
            values,
            tf.constant(actions, tf.uint8),
            tf.constant(advantages, tf.float32),
            tf.constant(returns, tf.float32),
            value_cost,
            entropy_cost,
        )
    return float(loss), *(g.numpy() for g in tape.gradient(loss, [logits, values])), logs


@settings(max_examples=50)
@given(st.lists(st.tuples(floats, floats, floats, floats, floats, st.booleans()), min_size=1))
def test_actor_critic_loss_and_gradient_against_the_formula(steps):
    total, policy_slopes, value_slopes = 0.0, [], []
    for first, second, value, advantage, target, action in steps:
        probs = np.exp([first, second]) / np.sum(np.exp([first, second]))
        entropy = -np.sum(probs * np.log(probs))
        total += -np.log(probs[int(action)]) * advantage - 0.1 * entropy
        total += 0.5 * (value - target) ** 2
        # d log pi(a) / d logit_i = [i = a] - p_i; d entropy / d logit_i = -p_i (log p_i + entropy)
        slope = -advantage * (np.eye(2)[int(action)] - probs)
        policy_slopes.append(slope + 0.1 * probs * (np.log(probs) + entropy))
        value_slopes.append(value - target)
    first, second, values, advantages, returns, actions = zip(*steps, strict=True)
    logits, actions = np.stack([first, second], -1), np.array(actions, np.uint8)
    loss, of_logits, of_values, _ = actor_critic(logits, values, actions, advantages, returns)
    assert loss == pytest.approx(total / len(steps), rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(of_logits, np.array(policy_slopes) / len(steps), atol=1e-5)
    np.testing.assert_allclose(of_values, np.array(value_slopes) / len(steps), atol=1e-5)


def test_actor_critic_loss_by_hand():
    """A uniform policy over two actions, in one step: entropy log 2, at its maximum."""
    loss, of_logits, of_values, logs = actor_critic([[0.0, 0.0]], [3.0], [1], [4.0], [5.0])
    assert float(logs["policy_loss"]) == pytest.approx(4 * np.log(2))
    assert float(logs["value_loss"]) == pytest.approx(4.0)
    assert float(logs["entropy"]) == pytest.approx(np.log(2))
    assert loss == float(logs["loss"]) == pytest.approx(3.9 * np.log(2) + 2.0)
    np.testing.assert_allclose(of_logits, [[2.0, -2.0]], rtol=1e-6)
    np.testing.assert_allclose(of_values, [-2.0], rtol=1e-6)


def test_actor_critic_loss_has_any_shape():
    step = ([0.3, -0.2], 1.0, 1, 2.0, 4.0)
    one, _, _, _ = actor_critic(*([x] for x in step))
    many, _, _, _ = actor_critic(*(np.broadcast_to(x, (3, 2, *np.shape(x))) for x in step))
    assert many == pytest.approx(one)


def test_kl_estimate():
    """With actions as often as the behaviour policy takes them, it is the divergence itself."""
    behaviour, target = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    ratios = np.log(target / behaviour)[[0, 1, 1, 1]]
    divergence = np.sum(behaviour * np.log(behaviour / target))
    actual = losses.kl_estimate(tf.constant(ratios, tf.float32))
    assert float(actual) == pytest.approx(divergence, rel=1e-5)


def test_kl_of_policies_that_hardly_differ():
    """It is x²/2 for ratios of exp(x), and nothing of it is lost in rounding."""
    actual = losses.kl_estimate(tf.constant([5e-5, -5e-5], tf.float32))
    assert float(actual) == pytest.approx(5e-5**2 / 2, rel=0.01)
