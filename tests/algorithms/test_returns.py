import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import rollouts, trees
from hts_tf.algorithms import returns

pytestmark = pytest.mark.usefixtures("op_determinism")

NAN = np.float32(np.nan)


def make_rollout(reward, value, terminated=None, truncated=None, truncation_value=None):
    """A rollout of numpy arrays; what returns have no business with is NaN."""
    reward = np.array(reward, np.float32)
    none = np.zeros(reward.shape, bool)
    nan = np.full(reward.shape, NAN)
    return rollouts.Rollout(
        observation=nan,
        action=nan,
        policy={"logits": nan},
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
    tensors = trees.map(tf.constant, rollout)
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
def random_rollouts(draw):
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


@settings(max_examples=60)
@given(random_rollouts(), unit, unit, st.booleans())
def test_against_the_definition(rollout, discount, lambda_, bootstrap_truncated):
    expected = gae_by_definition(rollout, discount, lambda_, bootstrap_truncated)
    advantages, value_targets = gae(rollout, discount, lambda_, bootstrap_truncated)
    assert advantages.dtype == value_targets.dtype == np.float32
    np.testing.assert_allclose(advantages, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value_targets, expected + rollout.value[:-1], rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(random_rollouts(), unit)
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


@settings(max_examples=20)
@given(random_rollouts(), unit)
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


def n_step(rollout, discount, bootstrap_truncated=True):
    tensors = trees.map(tf.constant, rollout)
    result = returns.n_step_returns(tensors, discount, bootstrap_truncated)
    return result.advantages.numpy(), result.returns.numpy()


def after_end(rollout, t, b, bootstrap_truncated):
    """The value of what follows an episode's end."""
    truncated = rollout.truncated[t, b] and bootstrap_truncated
    return float(rollout.truncation_value[t, b]) if truncated else 0.0


@settings(max_examples=40)
@given(random_rollouts(), unit, st.booleans())
def test_n_step_returns_against_the_definition(rollout, discount, bootstrap_truncated):
    """The sum over k of gamma^k reward_{t+k}, and gamma^n times the value of what follows."""
    num_steps, num_envs = rollout.reward.shape
    expected = np.zeros(rollout.reward.shape)
    for b in range(num_envs):
        for t in range(num_steps):
            last = float(rollout.value[num_steps, b])
            for step in range(t, num_steps):
                expected[t, b] += discount ** (step - t) * rollout.reward[step, b]
                if rollout.terminated[step, b] or rollout.truncated[step, b]:
                    last = after_end(rollout, step, b, bootstrap_truncated)
                    break
            expected[t, b] += discount ** (step - t + 1) * last
    advantages, value_targets = n_step(rollout, discount, bootstrap_truncated)
    np.testing.assert_allclose(value_targets, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(advantages, expected - rollout.value[:-1], rtol=1e-4, atol=1e-5)


def test_n_step_returns_by_hand():
    rollout = make_rollout(
        reward=[[1.0], [2.0], [4.0]],
        value=[[10.0], [20.0], [30.0], [40.0]],
        terminated=[[True], [False], [False]],
    )
    advantages, value_targets = n_step(rollout, discount=0.5)
    # 4 + 0.5 * 40 = 24; 2 + 0.5 * 24 = 14; 1, as nothing comes after it.
    np.testing.assert_allclose(value_targets, [[1.0], [14.0], [24.0]])
    np.testing.assert_allclose(advantages, [[-9.0], [-6.0], [-6.0]])


def v_trace(rollout, log_prob_ratio, discount, *args):
    tensors = trees.map(tf.constant, rollout)
    ratio = tf.constant(log_prob_ratio, tf.float32)
    result = returns.v_trace(tensors, ratio, discount, *args)
    return result.advantages.numpy(), result.returns.numpy()


def v_trace_by_definition(
    rollout, log_prob_ratio, discount, lambda_, clip_rho, clip_c, bootstrap_truncated
):
    """Equation 1, with its sum of products; and q_s - V(x_s) of section 4.2."""
    num_steps, num_envs = rollout.reward.shape
    targets = np.array(rollout.value, np.float64)  # v_T is V(x_T)
    advantages = np.zeros((num_steps, num_envs))
    for b in range(num_envs):
        rhos = [min(clip_rho, np.exp(ratio)) for ratio in log_prob_ratio[:, b]]
        cs = [lambda_ * min(clip_c, np.exp(ratio)) for ratio in log_prob_ratio[:, b]]
        ends = rollout.terminated[:, b] | rollout.truncated[:, b]
        for s in range(num_steps):
            for t in range(s, num_steps):
                delta = rhos[t] * td_error(rollout, t, b, discount, bootstrap_truncated)
                targets[s, b] += discount ** (t - s) * np.prod(cs[s:t]) * delta
                if ends[t]:
                    break
        for s in range(num_steps):
            following = targets[s + 1, b]
            if ends[s]:
                following = after_end(rollout, s, b, bootstrap_truncated)
            q = rollout.reward[s, b] + discount * following
            advantages[s, b] = rhos[s] * (q - rollout.value[s, b])
    return advantages, targets[:-1]


clips = st.floats(0.1, 3.0)


@settings(max_examples=60)
@given(random_rollouts(), st.integers(0, 2**32 - 1), unit, unit, clips, clips, st.booleans())
def test_v_trace_against_the_definition(
    rollout, seed, discount, lambda_, clip_rho, clip_c, bootstrap_truncated
):
    ratio = np.random.default_rng(seed).normal(size=rollout.reward.shape)
    arguments = (rollout, ratio, discount, lambda_, clip_rho, clip_c, bootstrap_truncated)
    advantages, value_targets = v_trace(*arguments)
    expected_advantages, expected_targets = v_trace_by_definition(*arguments)
    assert advantages.dtype == value_targets.dtype == np.float32
    np.testing.assert_allclose(value_targets, expected_targets, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(advantages, expected_advantages, rtol=1e-4, atol=1e-4)


@settings(max_examples=40)
@given(random_rollouts(), unit, st.booleans())
def test_v_trace_on_policy_is_n_step_returns(rollout, discount, bootstrap_truncated):
    on_policy = np.zeros(rollout.reward.shape)
    actual = v_trace(rollout, on_policy, discount, 1.0, 1.0, 1.0, bootstrap_truncated)
    expected = n_step(rollout, discount, bootstrap_truncated)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(random_rollouts(), unit, unit)
def test_v_trace_on_policy_with_lambda_is_gae(rollout, discount, lambda_):
    """Of the value's targets: the advantages have no lambda of their own (section 4.2)."""
    on_policy = np.zeros(rollout.reward.shape)
    _, value_targets = v_trace(rollout, on_policy, discount, lambda_)
    _, expected = gae(rollout, discount, lambda_)
    np.testing.assert_allclose(value_targets, expected, rtol=1e-4, atol=1e-5)


def test_v_trace_by_hand():
    rollout = make_rollout(reward=[[1.0], [2.0]], value=[[10.0], [20.0], [40.0]])
    ratio = np.log([[0.5], [4.0]])
    # delta_1 = 1 * (2 + 0.5 * 40 - 20) = 2, so v_1 = 22;
    # delta_0 = 0.5 * (1 + 0.5 * 20 - 10) = 0.5, so v_0 = 10 + 0.5 + 0.5 * 0.5 * 2 = 11;
    # the advantages are 1 * (2 + 0.5 * 40 - 20) = 2 and 0.5 * (1 + 0.5 * 22 - 10) = 1.
    advantages, value_targets = v_trace(rollout, ratio, 0.5)
    np.testing.assert_allclose(value_targets, [[11.0], [22.0]])
    np.testing.assert_allclose(advantages, [[1.0], [2.0]])
    # With rho bar 2, twice as much is believed of the second step; c bar is what it was.
    advantages, value_targets = v_trace(rollout, ratio, 0.5, 1.0, 2.0)
    np.testing.assert_allclose(value_targets, [[11.5], [24.0]])
    np.testing.assert_allclose(advantages, [[1.5], [4.0]])
    # With c bar 0.1, hardly anything of it is carried back: 10 + 0.5 + 0.5 * 0.1 * 2.
    assert v_trace(rollout, ratio, 0.5, 1.0, 1.0, 0.1)[1][0] == pytest.approx(10.6)


def test_an_action_that_the_target_policy_never_takes_teaches_nothing():
    rollout = make_rollout(reward=[[100.0], [100.0]], value=[[10.0], [20.0], [40.0]])
    advantages, value_targets = v_trace(rollout, [[-np.inf], [-np.inf]], 0.5)
    np.testing.assert_array_equal(advantages, [[0.0], [0.0]])
    np.testing.assert_array_equal(value_targets, [[10.0], [20.0]])


@pytest.mark.parametrize("target", [n_step, lambda *args: v_trace(args[0], np.zeros((2, 2)), 0.5)])
def test_no_return_flows_back_over_an_ending(target):
    rollout = make_rollout(
        reward=[[1.0] * 2, [100.0] * 2],
        value=[[0.0] * 2, [50.0] * 2, [70.0] * 2],
        terminated=[[True, False], [False, False]],
        truncated=[[False, True], [False, False]],
        truncation_value=[[NAN, 8.0], [NAN, NAN]],
    )
    advantages, value_targets = target(rollout, 0.5)
    np.testing.assert_allclose(value_targets[0], [1.0, 5.0])
    np.testing.assert_allclose(advantages[0], [1.0, 5.0])


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


def test_advantages_of_which_no_step_counts():
    advantages, nothing = tf.constant([[1.0, 2.0]]), tf.constant([[False, False]])
    assert returns.normalised(advantages, nothing).numpy().tolist() == [[0.0, 0.0]]


def test_explained_variance_of_constant_returns_is_a_number():
    actual = returns.explained_variance(tf.constant([1.0, 2.0]), tf.constant([3.0, 3.0]))
    assert np.isfinite(actual)
