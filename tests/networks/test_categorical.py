import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import errors, seeding, specs
from hts_tf.networks.categorical import Categorical, CategoricalDistribution
from hts_tf.networks.initialisation import Seeds

pytestmark = pytest.mark.usefixtures("op_determinism")


def make(num_actions):
    return Categorical(specs.DiscreteSpec(num_values=num_actions), Seeds(0))


def draw(seed, interval, shape, num_actions):
    random = seeding.generator(seed, "noise", interval)
    return make(num_actions).draw_noise(random, shape)


def random_logits(shape, seed=0):
    return np.random.default_rng(seed).normal(0.0, 3.0, shape).astype(np.float32)


def test_parameters_and_noise_are_as_many_numbers_as_actions():
    head = make(5)
    numbers = specs.ArraySpec((5,), "float32")
    assert head.parameters == {"logits": numbers}
    assert head.noise == numbers
    policy = head(np.ones((4, 7), np.float32), None)
    assert policy.keys() == {"logits"}
    assert (policy["logits"].shape, policy["logits"].dtype) == ((4, 5), tf.float32)


def test_noise_is_standard_gumbel():
    noise = draw(3, 5, (100, 20), 19)
    assert noise.shape == (100, 20, 19)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()
    assert noise.mean() == pytest.approx(np.euler_gamma, abs=0.03)
    assert noise.std() == pytest.approx(np.pi / np.sqrt(6), abs=0.03)


def test_noise_differs_between_intervals_and_seeds():
    noise = draw(3, 5, (4, 2), 3)
    assert not np.array_equal(noise, draw(3, 6, (4, 2), 3))
    assert not np.array_equal(noise, draw(4, 5, (4, 2), 3))


def test_the_noise_of_old_runs_is_still_the_same():
    np.testing.assert_allclose(draw(7, 8, (1, 1), 2), [[[0.0350429, -0.7930963]]], rtol=1e-5)


def test_actions_with_noise_sample_the_softmax():
    logits = np.array([0.0, 1.0, -2.0, 0.5], np.float32)
    probability = np.exp(logits) / np.exp(logits).sum()
    count = 40_000
    noise = draw(0, 0, (count,), 4)
    actions = make(4).act({"logits": tf.constant(logits)}, noise).numpy()
    assert (actions.shape, actions.dtype) == ((count,), np.uint8)
    np.testing.assert_array_equal(actions, np.argmax(logits + noise, axis=-1))
    frequency = np.bincount(actions, minlength=4) / count
    deviation = np.sqrt(probability * (1 - probability) / count)
    assert (np.abs(frequency - probability) < 4 * deviation).all()


def test_zeros_for_noise_choose_the_most_probable_action():
    logits = random_logits((50, 5))
    actions = make(5).act({"logits": tf.constant(logits)}, tf.zeros((50, 5)))
    np.testing.assert_array_equal(actions, np.argmax(logits, axis=-1))
    assert len(set(actions.numpy().tolist())) == 5


def test_the_highest_of_256_actions_can_be_chosen():
    noise = np.zeros((1, 256), np.float32)
    noise[0, 255] = 1
    assert make(256).act({"logits": tf.zeros((1, 256))}, noise).numpy().tolist() == [255]


def test_its_distribution_is_that_of_its_parameters():
    logits = tf.constant(random_logits((3, 5)))
    distribution = make(5).distribution({"logits": logits})
    np.testing.assert_array_equal(distribution.logits, logits)


def test_log_prob_by_hand():
    logits = np.log([[[0.2, 0.8], [0.5, 0.5]]]).astype(np.float32)
    actual = CategoricalDistribution(tf.constant(logits)).log_prob(tf.constant([[1, 0]], tf.uint8))
    np.testing.assert_allclose(np.exp(actual), [[0.8, 0.5]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(7,), (6, 7), (2, 5, 7)])
def test_log_prob_against_tensorflow_probability(shape):
    logits = tf.constant(random_logits(shape))
    actions = np.random.default_rng(1).integers(7, size=shape[:-1], dtype=np.uint8)
    expected = tfp.distributions.Categorical(logits=logits).log_prob(actions)
    actual = CategoricalDistribution(logits).log_prob(tf.constant(actions))
    assert actual.shape == shape[:-1]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(7,), (6, 7), (2, 5, 7)])
def test_entropy_against_tensorflow_probability(shape):
    logits = tf.constant(random_logits(shape))
    expected = tfp.distributions.Categorical(logits=logits).entropy()
    actual = CategoricalDistribution(logits).entropy()
    assert actual.shape == shape[:-1]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_entropy_of_a_uniform_policy():
    np.testing.assert_allclose(
        CategoricalDistribution(tf.zeros((3, 8))).entropy(), [np.log(8)] * 3, rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(7,), (6, 7), (2, 5, 7)])
def test_kl_divergence_against_tensorflow_probability(shape):
    logits, others = (tf.constant(random_logits(shape, seed)) for seed in (0, 1))
    expected = tfp.distributions.kl_divergence(
        tfp.distributions.Categorical(logits=logits), tfp.distributions.Categorical(logits=others)
    )
    own, other = CategoricalDistribution(logits), CategoricalDistribution(others)
    assert own.kl_divergence(other).shape == shape[:-1]
    np.testing.assert_allclose(own.kl_divergence(other), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own.kl_divergence(own), np.zeros(shape[:-1]), atol=1e-6)


@pytest.mark.parametrize("action", [specs.ArraySpec((2,), "float32"), specs.ArraySpec((), "uint8")])
def test_an_action_that_is_no_choice_is_refused(action):
    with pytest.raises(errors.ConfigError, match=r"^ActorCritic\.head = @Categorical is not for"):
        Categorical(action, Seeds(0))


@pytest.mark.parametrize(
    "observation",
    [np.ones(3, np.float32), {"light": np.ones(3)}, ({specs.ACTION_MASK: np.ones(5, bool)},), None],
)
def test_without_a_mask_logits_are_what_the_layer_says(observation):
    head, features = make(5), random_logits((3, 7))
    actual = head(features, observation)["logits"]
    assert actual.numpy().tobytes() == head._linear(features).numpy().tobytes()


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 2**5 - 1), min_size=8, max_size=8),
    st.integers(0, 1000),
    st.sampled_from([0.1, 1e3, 1e6]),
)
def test_what_is_forbidden_is_never_taken(bits, seed, largest):
    head, random = make(5), np.random.default_rng(seed)
    mask = np.array([[bool(each >> i & 1) for i in range(5)] for each in bits])
    features = random.normal(0, largest, (8, 4)).astype(np.float32)
    policy = head(features, {"light": features, specs.ACTION_MASK: mask})
    for noise in (head.draw_noise(random, (8,)), np.zeros((8, 5), np.float32)):
        actions = head.act(policy, noise).numpy()
        assert mask[np.arange(8), actions].all()


def test_masked_actions_sample_what_is_permitted():
    """Each as often as it would be if there were nothing else."""
    count, head = 40_000, make(4)
    features = np.repeat(random_logits((1, 7)), count, axis=0) * 100
    mask = np.array([[True, False, True, True]] * count)
    policy = head(features, {specs.ACTION_MASK: mask})
    actions = head.act(policy, head.draw_noise(np.random.default_rng(0), (count,))).numpy()
    odds = np.where(mask[0], np.exp(head._linear(features[:1])[0]), 0)
    probability = odds / odds.sum()
    frequency = np.bincount(actions, minlength=4) / count
    deviation = np.sqrt(probability * (1 - probability) / count)
    assert (np.abs(frequency - probability) <= 4 * deviation).all()
    assert 0.1 < probability.max() < 0.9


def test_a_mask_that_forbids_everything_leaves_all_finite():
    """Such as in an observation that nobody acts on."""
    head = make(4)
    policy = head(random_logits((2, 7)), {specs.ACTION_MASK: np.zeros((2, 4), bool)})
    actions = head.act(policy, head.draw_noise(np.random.default_rng(0), (2,)))
    distribution = head.distribution(policy)
    np.testing.assert_allclose(distribution.log_prob(actions), [-np.log(4)] * 2, rtol=1e-6)
    np.testing.assert_allclose(distribution.entropy(), [np.log(4)] * 2, rtol=1e-6)
