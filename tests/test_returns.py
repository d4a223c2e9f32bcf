import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import returns, specs

pytestmark = pytest.mark.usefixtures("op_determinism")

NAN = np.float32(np.nan)


def make_rollout(reward, value, terminated=None, truncated=None, truncation_value=None):
    """A rollout of numpy arrays; what GAE has no business with is NaN."""
    reward = np.array(reward, np.float32)
    none = np.zeros(reward.shape, bool)
    nan = np.full(reward.shape, NAN)
    return specs.Rollout(
        observation=nan,
        action=nan,
        logits=nan,
        value=np.array(value, np.float32),
        reward=reward,
        score=nan,
        terminated=none if terminated is None else np.array(terminated, bool),
        truncated=none if truncated is None else np.array(truncated, bool),
        truncation_value=nan
        if truncation_value is None
        else np.array(truncation_value, np.float32),
    )


def gae(rollout, discount, lambda_, bootstrap_truncated=True):
    tensors = specs.Rollout(*map(tf.constant, rollout))
    result = returns.generalized_advantage_estimation(
        tensors, discount, lambda_, bootstrap_truncated
    )
    return result.advantages.numpy(), result.returns.numpy()


def td_error(rollout, t, b, discount, bootstrap_truncated):
    """delta_t of equation 12, with the value of what follows step t."""
    if rollout.terminated[t, b]:
        following = 0.0
    elif rollout.truncated[t, b]:
        following = float(rollout.truncation_value[t, b]) if bootstrap_truncated else 0.0
    else:
        following = float(rollout.value[t + 1, b])
    return float(rollout.reward[t, b]) + discount * following - float(rollout.value[t, b])


def gae_by_definition(rollout, discount, lambda_, bootstrap_truncated):
    """Equation 16, sum over l of (gamma lambda)^l delta_{t+l}, up to the end of the episode."""
    num_steps, num_envs = rollout.reward.shape
    advantages = np.zeros((num_steps, num_envs))
    for b in range(num_envs):
        for t in range(num_steps):
            for step in range(t, num_steps):
                delta = td_error(rollout, step, b, discount, bootstrap_truncated)
                advantages[t, b] += (discount * lambda_) ** (step - t) * delta
                if rollout.terminated[step, b] or rollout.truncated[step, b]:
                    break
    return advantages


@st.composite
def rollouts(draw):
    """Random rollouts: rewards and values from a seed, endings of every density."""
    shape = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    endings = random.random(shape)
    termination, truncation = draw(st.floats(0, 0.5)), draw(st.floats(0, 0.5))
    truncated = endings > 1 - truncation
    return make_rollout(
        reward=random.normal(size=shape),
        value=random.normal(size=(shape[0] + 1, shape[1])),
        terminated=endings < termination,
        truncated=truncated,
        truncation_value=np.where(truncated, random.normal(size=shape), NAN),
    )


unit = st.floats(0, 1)


@settings(deadline=None, max_examples=60)
@given(rollouts(), unit, unit, st.booleans())
def test_against_the_definition(rollout, discount, lambda_, bootstrap_truncated):
    expected = gae_by_definition(rollout, discount, lambda_, bootstrap_truncated)
    advantages, value_targets = gae(rollout, discount, lambda_, bootstrap_truncated)
    assert advantages.dtype == value_targets.dtype == np.float32
    np.testing.assert_allclose(advantages, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value_targets, expected + rollout.value[:-1], rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(rollouts(), unit)
def test_lambda_1_is_monte_carlo(rollout, discount):
    num_steps, num_envs = rollout.reward.shape
    expected = np.zeros(rollout.reward.shape)
    for b in range(num_envs):
        following = float(rollout.value[-1, b])
        for t in reversed(range(num_steps)):
            if rollout.terminated[t, b]:
                following = 0.0
            elif rollout.truncated[t, b]:
                following = float(rollout.truncation_value[t, b])
            following = expected[t, b] = rollout.reward[t, b] + discount * following
    np.testing.assert_allclose(gae(rollout, discount, 1.0)[1], expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(rollouts(), unit)
def test_lambda_0_is_one_step_temporal_difference(rollout, discount):
    num_steps, num_envs = rollout.reward.shape
    expected = [
        [td_error(rollout, t, b, discount, True) for b in range(num_envs)] for t in range(num_steps)
    ]
    np.testing.assert_allclose(gae(rollout, discount, 0.0)[0], expected, rtol=1e-4, atol=1e-5)


def test_by_hand():
    rollout = make_rollout(reward=[[1.0], [2.0]], value=[[10.0], [20.0], [40.0]])
    # delta_1 = 2 + 0.5 * 40 - 20 = 2; delta_0 = 1 + 0.5 * 20 - 10 = 1; gamma lambda = 0.25.
    advantages, value_targets = gae(rollout, discount=0.5, lambda_=0.5)
    np.testing.assert_allclose(advantages, [[1.5], [2.0]])
    np.testing.assert_allclose(value_targets, [[11.5], [22.0]])


def test_nothing_flows_back_over_an_ending():
    rollout = make_rollout(
        reward=[[1.0] * 2, [100.0] * 2],
        value=[[0.0] * 2, [50.0] * 2, [70.0] * 2],
        terminated=[[True, False], [False, False]],
        truncated=[[False, True], [False, False]],
        truncation_value=[[NAN, 8.0], [NAN, NAN]],
    )
    np.testing.assert_allclose(gae(rollout, discount=0.5, lambda_=1.0)[0][0], [1.0, 5.0])


def test_truncation_counts_as_termination_if_asked_to():
    rollout = make_rollout(
        reward=[[1.0]], value=[[3.0], [50.0]], truncated=[[True]], truncation_value=[[8.0]]
    )
    assert gae(rollout, 0.5, 1.0, bootstrap_truncated=True)[0] == [[1.0 + 4.0 - 3.0]]
    assert gae(rollout, 0.5, 1.0, bootstrap_truncated=False)[0] == [[1.0 - 3.0]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 3.0, 6.0], 1.0),
        ([6.0, 7.0, 8.0, 11.0], 1.0),  # a constant offset is not seen
        ([4.0, 4.0, 4.0, 4.0], 0.0),
        ([-1.0, -2.0, -3.0, -6.0], -3.0),
        ([0.5, 1.0, 1.5, 3.0], 0.75),
    ],
)
def test_explained_variance(values, expected):
    actual = returns.explained_variance(tf.constant(values), tf.constant([1.0, 2.0, 3.0, 6.0]))
    assert float(actual) == pytest.approx(expected, abs=1e-6)


def test_explained_variance_of_constant_returns_is_a_number():
    actual = returns.explained_variance(tf.constant([1.0, 2.0]), tf.constant([3.0, 3.0]))
    assert np.isfinite(actual)
