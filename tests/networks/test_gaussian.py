import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from hts_tf import errors, specs
from hts_tf.networks.gaussian import Gaussian, GaussianDistribution, TanhGaussianDistribution
from hts_tf.networks.initialisation import Seeds

pytestmark = pytest.mark.usefixtures("op_determinism")

THREE = specs.ArraySpec((3,), "float32")
LOW, HIGH = (-1.0, 0.0, -3.0), (1.0, 5.0, -2.5)
BOUNDED = specs.BoxSpec((3,), "float64", low=LOW, high=HIGH, bounded_by="tanh")
MEAN = np.array([0.3, -1.0, 2.0], np.float32)
STD = np.array([0.5, 1.2, 0.9], np.float32)


def make(action=THREE, **settings):
    return Gaussian(action, Seeds(0), **settings)


def bounded(mean=MEAN, std=STD):
    return TanhGaussianDistribution(tf.constant(mean), tf.constant(std), BOUNDED)


def normal_density(x, mean, std):
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def test_the_mean_is_linear_and_the_standard_deviation_is_free():
    head = make(initial_std=0.25)
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    policy = head(features, None)
    np.testing.assert_allclose(policy["std"], np.full((6, 3), 0.25), rtol=1e-6)
    shapes = sorted(tuple(v.shape) for v in head.trainable_variables)
    assert shapes == [(3,), (3,), (4, 3)]
    (kernel,) = (v for v in head.trainable_variables if len(v.shape) == 2)
    np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), [0.01] * 3, rtol=1e-4)
    np.testing.assert_allclose(policy["mean"], features @ kernel.numpy(), atol=1e-6)
    with tf.GradientTape() as tape:
        distribution = head.distribution(head(features, None))
        value = tf.reduce_mean(distribution.log_prob(np.ones((6, 3), np.float32)))
    gradient = tape.gradient(value, head.trainable_variables)
    assert all(np.abs(g).min() > 0 for g in gradient)


@pytest.mark.parametrize("std", [0, -1.0, 1e7, "1", True, float("nan")])
def test_a_standard_deviation_out_of_range_is_refused(std):
    with pytest.raises(errors.ConfigError, match=r"^Gaussian\.initial_std = "):
        make(initial_std=std)


def test_noise_is_standard_normal():
    noise = make().draw_noise(np.random.default_rng(0), (50_000,))
    assert (noise.shape, noise.dtype) == ((50_000, 3), np.float32)
    assert np.mean(noise) == pytest.approx(0, abs=0.02)
    assert np.mean(noise**2) == pytest.approx(1, abs=0.02)
    assert np.mean(noise**4) == pytest.approx(3, abs=0.15)


def test_against_a_literal_transcription():
    actions = np.array([0.1, 0.2, 2.5], np.float32)
    other_mean, other_std = MEAN[::-1].copy(), STD[::-1].copy()
    ours = GaussianDistribution(tf.constant(MEAN), tf.constant(STD), 1)
    theirs = GaussianDistribution(tf.constant(other_mean), tf.constant(other_std), 1)
    log_prob = sum(np.log(normal_density(actions[i], MEAN[i], STD[i])) for i in range(3))
    entropy = sum(0.5 * np.log(2 * np.pi * np.e * STD[i] ** 2) for i in range(3))
    kl = sum(
        np.log(other_std[i] / STD[i])
        + (STD[i] ** 2 + (MEAN[i] - other_mean[i]) ** 2) / (2 * other_std[i] ** 2)
        - 0.5
        for i in range(3)
    )
    assert ours.log_prob(actions).numpy() == pytest.approx(log_prob, rel=1e-5)
    assert ours.entropy().numpy() == pytest.approx(entropy, rel=1e-5)
    assert ours.kl_divergence(theirs).numpy() == pytest.approx(kl, rel=1e-5)
    assert ours.kl_divergence(ours).numpy() == 0


def test_actions_with_noise_sample_the_distribution():
    count, head = 100_000, make()
    policy = {"mean": tf.constant(MEAN), "std": tf.constant(STD)}
    noise = head.draw_noise(np.random.default_rng(0), (count,))
    actions = head.act(policy, noise).numpy()
    np.testing.assert_array_equal(actions, MEAN + STD * noise)
    error = 4 / np.sqrt(count)
    np.testing.assert_allclose(actions.mean(0), MEAN, atol=error * STD.max())
    np.testing.assert_allclose(actions.std(0), STD, rtol=error)
    np.testing.assert_allclose(np.corrcoef(actions.T), np.eye(3), atol=error)
    below = (actions < MEAN - STD).mean(0)
    np.testing.assert_allclose(below, 0.158655, atol=4 * np.sqrt(0.1587 * 0.8413 / count))
    # The mean surprise is the entropy; its variance is 1/2 for each number.
    surprise = -head.distribution(policy).log_prob(actions).numpy().mean()
    assert surprise == pytest.approx(
        head.distribution(policy).entropy().numpy(), abs=error * np.sqrt(1.5)
    )


def test_bounds_that_clip_are_not_in_the_distribution():
    clipped = make(specs.BoxSpec((3,), low=LOW, high=HIGH))
    policy = {"mean": tf.constant(MEAN), "std": tf.constant(STD)}
    actions = np.array([4.0, -4.0, 0.0], np.float32)
    actual, expected = (head.distribution(policy).log_prob(actions) for head in (clipped, make()))
    assert actual.numpy() == expected.numpy()


def test_the_correction_is_the_change_of_variables_of_what_environments_get():
    """The slope of `BoxSpec.bounded` itself, by finite differences in float64."""
    head = make(BOUNDED)
    policy = {"mean": tf.constant(MEAN), "std": tf.constant(STD)}
    x, h = np.random.default_rng(0).normal(0, 1.5, (20, 3)), 1e-6
    slope = (BOUNDED.bounded(x + h) - BOUNDED.bounded(x - h)) / (2 * h)
    expected = np.log(normal_density(x, MEAN, STD) / slope).sum(-1)
    actual = head.distribution(policy).log_prob(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_the_density_of_bounded_actions_adds_up_to_1():
    """Over what environments get, of a single number."""
    box = specs.BoxSpec((), "float64", low=(-2.0,), high=(3.0,), bounded_by="tanh")
    x = np.linspace(-9, 9, 20_001)
    y = box.bounded(x)
    ones = tf.ones(len(x))
    density = np.exp(TanhGaussianDistribution(0.4 * ones, 0.8 * ones, box).log_prob(x))
    assert np.trapezoid(density, y) == pytest.approx(1, abs=1e-4)


def test_bounded_samples_have_the_density():
    """Frequencies in stretches of the bounded action against the integral of the density."""
    box = specs.BoxSpec((), "float64", low=(-2.0,), high=(3.0,), bounded_by="tanh")
    count, head = 100_000, Gaussian(box, Seeds(0))
    policy = {"mean": tf.constant(0.4), "std": tf.constant(0.8)}
    noise = head.draw_noise(np.random.default_rng(0), (count,))
    y = box.bounded(head.act(policy, noise).numpy())
    edges = np.linspace(-2, 3, 11)
    for low, high in itertools.pairwise(edges):
        inside = np.clip(np.linspace(low, high, 2_001), -2 + 1e-6, 3 - 1e-6)
        x = np.arctanh((inside + 2) / 2.5 - 1)
        probability = np.trapezoid(np.exp(head.distribution(policy).log_prob(x)), inside)
        frequency = np.mean((low <= y) & (y < high))
        deviation = np.sqrt(probability * (1 - probability) / count)
        assert frequency == pytest.approx(probability, abs=4 * deviation + 1e-4)


def expected_log_slope(mean, std):
    """E[log(1 - tanh(x)^2)], integrated on a fine grid in float64."""
    points = np.linspace(-12, 12, 20_001)
    weights = np.exp(-0.5 * points**2)
    x = mean + std * points
    return np.sum(weights * 2 * (np.log(2) - x - np.logaddexp(0, -2 * x))) / weights.sum()


@pytest.mark.parametrize(
    ("std", "error"), [(0.01, 5e-6), (0.3, 5e-6), (1.0, 5e-6), (2.0, 2e-4), (5.0, 0.03)]
)
def test_the_entropy_of_bounded_actions_is_as_exact_as_it_says(std, error):
    means = np.linspace(-5, 5, 41).astype(np.float32)
    box = specs.BoxSpec((), low=(-1.0,), high=(1.0,), bounded_by="tanh")
    actual = TanhGaussianDistribution(
        tf.constant(means), tf.fill([41], np.float32(std)), box
    ).entropy()
    expected = [
        0.5 * np.log(2 * np.pi * np.e * std**2) + expected_log_slope(mean, std) for mean in means
    ]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=error)


def test_the_entropy_of_bounded_actions_is_the_mean_surprise():
    count = 400_000
    distribution = bounded()
    noise = np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)
    surprise = -distribution.log_prob(MEAN + STD * noise).numpy()
    assert distribution.entropy().numpy() == pytest.approx(
        surprise.mean(), abs=4 * surprise.std() / np.sqrt(count)
    )


finite = st.floats(-50, 50, width=32)


@settings(max_examples=30)
@given(st_numpy.arrays(np.float32, (4, 3), elements=finite), st.floats(-3, 3, width=32))
def test_ratios_and_kl_are_those_of_the_numbers_before_tanh(x, shift):
    """And nothing is infinite, however near to a bound the action comes."""
    old, new = (MEAN, STD), (MEAN + np.float32(shift), STD[::-1].copy())
    of_bounded = [bounded(*p) for p in (old, new)]
    of_normal = [GaussianDistribution(*map(tf.constant, p), 1) for p in (old, new)]
    ratios = [a.log_prob(x) - b.log_prob(x) for a, b in (of_bounded, of_normal)]
    assert np.isfinite(ratios).all()
    scale = np.abs(of_normal[0].log_prob(x)) + np.abs(of_normal[1].log_prob(x))
    assert (np.abs(ratios[0] - ratios[1]) <= 1e-6 * scale + 1e-3).all()
    kl, expected = (a.kl_divergence(b).numpy() for a, b in (of_bounded, of_normal))
    assert kl == expected


def test_an_action_of_one_value_cannot_be_bounded_by_tanh():
    box = specs.BoxSpec((2,), low=(0.0, 1.0), high=(1.0, 1.0), bounded_by="tanh")
    with pytest.raises(errors.ConfigError, match="tanh cannot bound an action to a single value"):
        make(box)
