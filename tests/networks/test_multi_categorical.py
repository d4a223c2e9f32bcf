import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import specs
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.multi_categorical import (
    MultiCategorical,
    MultiCategoricalDistribution,
    side_by_side,
)

pytestmark = pytest.mark.usefixtures("op_determinism")

SIZES = (3, 1, 2)


def make(sizes=SIZES, shape=()):
    return MultiCategorical(specs.MultiDiscreteSpec(num_values=sizes, shape=shape), Seeds(0))


def random_logits(leading, sizes=SIZES, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0.0, 2.0, (*leading, sum(sizes))).astype(np.float32)


def probabilities(logits, sizes=SIZES):
    """Of the values of each choice, of one row of logits: literal, in float64."""
    found, start = [], 0
    for size in sizes:
        part = np.exp(logits[start : start + size].astype(np.float64))
        found.append(part / part.sum())
        start += size
    return found


def test_logits_side_by_side():
    rows = side_by_side(tf.constant([[1.0, 2, 3, 4, 5, 6]]), SIZES).numpy()
    assert rows.shape == (1, 3, 3)
    assert rows[0][rows[0] > -1e8].tolist() == [1, 2, 3, 4, 5, 6]
    assert (rows[0] > -1e8).tolist() == [[True] * 3, [True, False, False], [True, True, False]]


def test_against_a_literal_transcription():
    logits, others = random_logits((4,)), random_logits((4,), seed=1)
    ours, theirs = (MultiCategoricalDistribution(tf.constant(x), SIZES) for x in (logits, others))
    actions = np.array([[0, 0, 1], [2, 0, 0], [1, 0, 1], [1, 0, 0]], np.uint8)
    for row in range(4):
        p, q = probabilities(logits[row]), probabilities(others[row])
        log_prob = sum(np.log(p[i][actions[row, i]]) for i in range(3))
        entropy = -sum(x * np.log(x) for part in p for x in part)
        kl = sum(
            x * np.log(x / y) for a, b in zip(p, q, strict=True) for x, y in zip(a, b, strict=True)
        )
        np.testing.assert_allclose(ours.log_prob(actions)[row], log_prob, rtol=1e-5)
        np.testing.assert_allclose(ours.entropy()[row], entropy, rtol=1e-5)
        np.testing.assert_allclose(ours.kl_divergence(theirs)[row], kl, rtol=1e-4)


def test_the_probabilities_of_all_actions_add_up_to_1():
    every = np.array(list(itertools.product(*map(range, SIZES))), np.uint8)
    logits = np.repeat(random_logits((1,)), len(every), axis=0)
    log_prob = MultiCategoricalDistribution(tf.constant(logits), SIZES).log_prob(every)
    assert np.exp(log_prob).sum() == pytest.approx(1, rel=1e-5)


def test_actions_with_noise_sample_all_choices_independently():
    count, head, logits = 100_000, make(), random_logits(())
    noise = head.draw_noise(np.random.default_rng(0), (count,))
    actions = head.act({"logits": tf.constant(logits)}, noise).numpy()
    p = probabilities(logits)
    for action in itertools.product(*map(range, SIZES)):
        expected = np.prod([p[i][value] for i, value in enumerate(action)])
        frequency = np.mean((actions == action).all(axis=-1))
        assert frequency == pytest.approx(
            expected, abs=4 * np.sqrt(expected * (1 - expected) / count)
        )


def test_an_array_of_choices_is_that_of_the_vector():
    sizes = (2, 3, 4, 5)
    logits = {"logits": tf.constant(random_logits((7,), sizes))}
    vector, array = make(sizes), make(sizes, (2, 2))
    noise = vector.draw_noise(np.random.default_rng(0), (7,))
    actions = array.act(logits, noise).numpy()
    np.testing.assert_array_equal(actions.reshape(7, 4), vector.act(logits, noise))
    np.testing.assert_array_equal(
        array.distribution(logits).log_prob(actions),
        vector.distribution(logits).log_prob(actions.reshape(7, 4)),
    )


@st.composite
def masks(draw):
    """For 8 rows of `SIZES`, with something permitted of each choice."""
    parts = []
    for size in SIZES:
        some = draw(st.lists(st.integers(1, 2**size - 1), min_size=8, max_size=8))
        parts.append([[bool(bits >> i & 1) for i in range(size)] for bits in some])
    return np.concatenate(parts, axis=-1)


@settings(max_examples=50)
@given(masks(), st.integers(0, 1000), st.sampled_from([0.1, 1e3, 1e6]))
def test_what_is_forbidden_is_never_taken(mask, seed, largest):
    head, random = make(), np.random.default_rng(seed)
    features = random.normal(0, largest, (8, 4)).astype(np.float32)
    policy = head(features, {specs.ACTION_MASK: mask})
    for noise in (head.draw_noise(random, (8,)), np.zeros((8, sum(SIZES)), np.float32)):
        actions = head.act(policy, noise).numpy()
        for choice, start in enumerate((0, 3, 4)):
            assert mask[np.arange(8), start + actions[:, choice]].all()
