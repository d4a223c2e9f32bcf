import itertools

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import specs
from hts_tf.networks.bernoulli import Bernoulli, BernoulliDistribution
from hts_tf.networks.initialisation import Seeds

pytestmark = pytest.mark.usefixtures("op_determinism")


def make(shape):
    return Bernoulli(specs.ArraySpec(shape, "bool"), Seeds(0))


def random_logits(shape, seed=0):
    return np.random.default_rng(seed).normal(0.0, 3.0, shape).astype(np.float32)


def test_noise_is_standard_logistic():
    noise = make((3,)).draw_noise(np.random.default_rng(0), (50_000,))
    assert (noise.shape, noise.dtype) == ((50_000, 3), np.float32)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(np.pi / np.sqrt(3), abs=0.02)


def test_against_a_literal_transcription():
    logits, others = random_logits((3, 2)), random_logits((3, 2), seed=1)
    ours, theirs = (BernoulliDistribution(tf.constant(x), 1) for x in (logits, others))
    actions = np.array([[True, False], [True, True], [False, False]])
    for row in range(3):
        p, q = (1 / (1 + np.exp(-x[row].astype(np.float64))) for x in (logits, others))
        taken = np.where(actions[row], p, 1 - p)
        entropy = -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p))
        kl = np.sum(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
        np.testing.assert_allclose(ours.log_prob(actions)[row], np.log(taken).sum(), rtol=1e-5)
        np.testing.assert_allclose(ours.entropy()[row], entropy, rtol=1e-5)
        np.testing.assert_allclose(ours.kl_divergence(theirs)[row], kl, rtol=1e-4)


def test_by_hand():
    fair = BernoulliDistribution(tf.zeros((2, 3)), 1)
    np.testing.assert_allclose(fair.entropy(), [3 * np.log(2)] * 2, rtol=1e-6)
    np.testing.assert_allclose(fair.log_prob(np.ones((2, 3), bool)), [-3 * np.log(2)] * 2)
    sure = BernoulliDistribution(tf.constant([np.log(3.0)], tf.float32), 0)
    np.testing.assert_allclose(np.exp(sure.log_prob([True])), [0.75], rtol=1e-6)


@pytest.mark.parametrize("logit", [-1e4, -90.0, 90.0, 1e4])
def test_what_is_all_but_certain_has_finite_numbers_and_gradients(logit):
    logits = tf.constant([[logit]])
    for ask in (
        lambda d: d.log_prob([[True]]),
        lambda d: d.log_prob([[False]]),
        lambda d: d.entropy(),
        lambda d: d.kl_divergence(BernoulliDistribution(tf.zeros((1, 1)), 1)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            answer = ask(BernoulliDistribution(logits, 1))
        assert np.isfinite(answer).all()
        assert np.isfinite(tape.gradient(answer, logits)).all()
    assert BernoulliDistribution(logits, 1).entropy().numpy() == pytest.approx([0], abs=1e-6)


def test_actions_with_noise_sample_the_distribution():
    """Jointly: each of the 8 actions of three bools."""
    count, head, logits = 100_000, make((3,)), np.array([-1.5, 0.0, 0.7], np.float32)
    noise = head.draw_noise(np.random.default_rng(1), (count,))
    actions = head.act({"logits": tf.constant(logits)}, noise).numpy()
    for action in itertools.product([False, True], repeat=3):
        log_prob = head.distribution({"logits": tf.constant(logits)}).log_prob(np.array(action))
        probability = float(np.exp(log_prob))
        deviation = np.sqrt(probability * (1 - probability) / count)
        frequency = np.mean((actions == action).all(axis=-1))
        assert frequency == pytest.approx(probability, abs=4 * deviation)


def test_zeros_for_noise_choose_the_more_probable():
    logits = random_logits((20, 4))
    actions = make((4,)).act({"logits": tf.constant(logits)}, tf.zeros((20, 4)))
    np.testing.assert_array_equal(actions, logits > 0)
