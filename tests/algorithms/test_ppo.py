import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, rollouts
from hts_tf.algorithms import ppo
from tests.algorithms import reference
from tests.algorithms.reference import (
    NUM_ENVS,
    NUM_STEPS,
    as_tensors,
    forward,
    gradient_of,
    log_softmax,
    make_agent,
    make_rollout,
    norm_of,
    parameters_of,
)

pytestmark = pytest.mark.usefixtures("op_determinism")

SETTINGS = {
    "epochs": 2,
    "num_minibatches": 3,
    "clip": 0.1,
    "discount": 0.9,
    "gae_lambda": 0.8,
    "decoupled": False,
    "value_cost": 0.7,
    "entropy_cost": 0.02,
    "max_gradient_norm": 0.3,
    "learning_rate": 0.01,
    "adam_epsilon": 1e-5,
}
PROGRESS = 0.25
ADAM_BETA_1, ADAM_BETA_2 = 0.9, 0.999


@pytest.fixture
def agent():
    return make_agent()


@pytest.fixture
def rollout():
    return make_rollout(collector=make_agent(seed=2))


@pytest.fixture
def permutations():
    random = np.random.default_rng(5)
    size = NUM_STEPS * NUM_ENVS
    return np.stack([random.permutation(size) for _ in range(SETTINGS["epochs"])]).astype(np.int32)


# What follows, down to `reference_update`, is PPO once more: literal, slow, in float64.


def reference_loss(parameters, minibatch, settings):
    """Equation 9, one step of experience after another."""
    total = 0.0
    clip = settings["clip"]
    for observation, action, proximal_log_prob, proximal_value, advantage, target in minibatch:
        logits, value = forward(parameters, observation)
        log_probs = log_softmax(logits)
        ratio = math.exp(log_probs[action] - proximal_log_prob)
        policy = min(ratio * advantage, max(1 - clip, min(1 + clip, ratio)) * advantage)
        moved = proximal_value + max(-clip, min(clip, value - proximal_value))
        value_error = 0.5 * max((value - target) ** 2, (moved - target) ** 2)
        entropy = -np.sum(np.exp(log_probs) * log_probs)
        total += -policy + settings["value_cost"] * value_error
        total -= settings["entropy_cost"] * entropy
    return total / len(minibatch)


def reference_gradient(parameters, minibatch, settings):
    return gradient_of(lambda p: reference_loss(p, minibatch, settings), parameters)


def reference_batch(rollout, settings):
    """The steps of the rollout, in the order of rows that `permutations` refers to."""
    discount, decay = settings["discount"], settings["discount"] * settings["gae_lambda"]
    advantages = np.zeros((NUM_STEPS, NUM_ENVS))
    for b in range(NUM_ENVS):
        advantage = 0.0
        for t in reversed(range(NUM_STEPS)):
            following = float(rollout.value[t + 1, b])
            if rollout.terminated[t, b] or rollout.truncated[t, b]:
                following = float(rollout.truncation_value[t, b]) if rollout.truncated[t, b] else 0
                advantage = 0.0
            delta = float(rollout.reward[t, b]) + discount * following - float(rollout.value[t, b])
            advantage = delta + decay * advantage
            advantages[t, b] = advantage
    normalised = (advantages - advantages.mean()) / (advantages.std() + 1e-5)
    return [
        (
            rollout.observation[t, b].astype(np.float64),
            rollout.action[t, b],
            log_softmax(rollout.policy["logits"][t, b].astype(np.float64))[rollout.action[t, b]],
            float(rollout.value[t, b]),
            normalised[t, b],
            advantages[t, b] + float(rollout.value[t, b]),
        )
        for t in range(NUM_STEPS)
        for b in range(NUM_ENVS)
    ]


def reference_update(parameters, batch, permutations, progress, settings):
    """Epochs of minibatches of Adam steps (Kingma & Ba 2015, Algorithm 1).

    Returns:
      The new parameters, and each minibatch's gradient norm before clipping.
    """
    parameters = [array.copy() for array in parameters]
    learning_rate = settings["learning_rate"] * (1 - progress)
    first = [np.zeros_like(array) for array in parameters]
    second = [np.zeros_like(array) for array in parameters]
    norms = []
    for order in permutations:
        for rows in np.split(order, settings["num_minibatches"]):
            gradient = reference_gradient(parameters, [batch[row] for row in rows], settings)
            norms.append(norm_of(gradient))
            scale = min(1.0, settings["max_gradient_norm"] / norms[-1])
            count = len(norms)
            for array, slope, m, v in zip(parameters, gradient, first, second, strict=True):
                m += (1 - ADAM_BETA_1) * (scale * slope - m)
                v += (1 - ADAM_BETA_2) * ((scale * slope) ** 2 - v)
                corrected_m = m / (1 - ADAM_BETA_1**count)
                corrected_v = v / (1 - ADAM_BETA_2**count)
                array -= (
                    learning_rate * corrected_m / (np.sqrt(corrected_v) + settings["adam_epsilon"])
                )
    return parameters, norms


def compiled_update(agent, rollout, permutations, progress, settings):
    algorithm = ppo.PPO(**settings)
    optimizer = algorithm.make_optimizer()
    optimizer.build(agent.trainable_variables)
    return reference.compiled_update(algorithm, agent, optimizer, rollout, permutations, progress)


def eager_update(agent, rollout, permutations, progress, settings, kind=ppo.PPO):
    """Without compiling the update, which takes longer than these few steps."""
    algorithm = kind(**settings)
    optimizer = algorithm.make_optimizer()
    return reference.eager_update(algorithm, agent, optimizer, rollout, permutations, progress)


def minibatch_tensors(minibatch):
    observation, action, *rest = map(np.array, zip(*minibatch, strict=True))
    return (
        rollouts.Rollout(tf.constant(observation, tf.float32), tf.constant(action, tf.uint8)),
        *(tf.constant(x, tf.float32) for x in rest),
    )


def test_loss_and_its_gradient(agent, rollout):
    batch = reference_batch(rollout, SETTINGS)
    with tf.GradientTape() as tape:
        loss, logs = ppo.PPO(**SETTINGS).loss(agent, *minibatch_tensors(batch))
    gradient = tape.gradient(loss, agent.trainable_variables)
    parameters = parameters_of(agent)
    assert float(loss) == pytest.approx(reference_loss(parameters, batch, SETTINGS), rel=1e-5)
    expected = reference_gradient(parameters, batch, SETTINGS)
    for actual_array, expected_array in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(actual_array, expected_array, rtol=1e-4, atol=1e-5)
    # All of it was put to the test: some steps are clipped, some are not.
    assert 0.2 < float(logs["clip_fraction"]) < 0.95


@pytest.mark.parametrize("cost", ["value_cost", "entropy_cost"])
def test_costs_are_weights(agent, rollout, cost):
    minibatch = minibatch_tensors(reference_batch(rollout, SETTINGS))
    loss, logs = ppo.PPO(**SETTINGS).loss(agent, *minibatch)
    more, _ = ppo.PPO(**{**SETTINGS, cost: SETTINGS[cost] + 1.0}).loss(agent, *minibatch)
    term = {"value_cost": logs["value_loss"], "entropy_cost": -logs["entropy"]}[cost]
    assert float(more - loss) == pytest.approx(float(term), rel=1e-4)


def test_logs_of_the_policy_that_collected_the_data(rollout):
    agent = make_agent(seed=2)
    batch = reference_batch(rollout, SETTINGS)
    _, logs = ppo.PPO(**SETTINGS).loss(agent, *minibatch_tensors(batch))
    assert float(logs["kl"]) == pytest.approx(0.0, abs=1e-6)
    assert float(logs["clip_fraction"]) == 0.0


def test_kl_is_schulmans_estimator(agent, rollout):
    batch = reference_batch(rollout, SETTINGS)
    _, logs = ppo.PPO(**SETTINGS).loss(agent, *minibatch_tensors(batch))
    parameters = parameters_of(agent)
    log_ratios = np.array([log_softmax(forward(parameters, s[0])[0])[s[1]] - s[2] for s in batch])
    assert float(logs["kl"]) == pytest.approx(np.mean(np.exp(log_ratios) - 1 - log_ratios), 1e-4)


@pytest.mark.parametrize("max_gradient_norm", [0.05, 0.3, 100.0])
def test_update_against_the_reference(agent, rollout, permutations, max_gradient_norm):
    settings = {**SETTINGS, "max_gradient_norm": max_gradient_norm}
    before = parameters_of(agent)
    batch = reference_batch(rollout, settings)
    expected, norms = reference_update(before, batch, permutations, PROGRESS, settings)
    logs = compiled_update(agent, rollout, permutations, PROGRESS, settings)
    for actual, wanted, old in zip(parameters_of(agent), expected, before, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-5)
        assert np.abs(wanted - old).max() > 1e-3  # the tolerance is small beside the movement
    assert logs["gradient_norm"] == pytest.approx(np.mean(norms), rel=1e-3)
    assert logs["learning_rate"] == pytest.approx(0.0075)


def test_reference_notices_another_order(agent, rollout, permutations):
    """The update depends on the permutations: what the test above would not have shown."""
    other = permutations[::-1].copy()
    batch = reference_batch(rollout, SETTINGS)
    expected, _ = reference_update(parameters_of(agent), batch, other, PROGRESS, SETTINGS)
    eager_update(agent, rollout, permutations, PROGRESS, SETTINGS)
    difference = max(
        np.abs(a - b).max() for a, b in zip(parameters_of(agent), expected, strict=True)
    )
    assert difference > 2e-4


class RecordingSGD(keras.optimizers.SGD):
    """Keeps the norm of every gradient that it is given."""

    def apply_gradients(self, grads_and_vars, **kwargs):
        grads_and_vars = list(grads_and_vars)
        norm = float(tf.linalg.global_norm([gradient for gradient, _ in grads_and_vars]))
        self.__dict__.setdefault("norms", []).append(norm)
        return super().apply_gradients(grads_and_vars, **kwargs)


def test_every_minibatch_has_its_gradient_clipped(agent, rollout, permutations):
    norms = {}
    for limit in (0.1, 1e6):
        algorithm = ppo.PPO(**{**SETTINGS, "max_gradient_norm": limit})
        optimizer = RecordingSGD(1e-4)
        algorithm.update(
            make_agent(), optimizer, as_tensors(rollout), tf.constant(permutations), 0.0
        )
        norms[limit] = optimizer.__dict__["norms"]
    assert len(norms[0.1]) == len(norms[1e6]) == 6
    np.testing.assert_allclose(norms[0.1], 0.1, rtol=1e-5)
    assert min(norms[1e6]) > 0.2


def test_learning_rate_that_stays(agent, rollout, permutations):
    rates = []
    for progress in (0.0, 0.3, 0.99):
        algorithm = ppo.PPO(**{**SETTINGS, "learning_rate": 3e-4}, last_learning_rate=3e-4)
        optimizer = algorithm.make_optimizer()
        algorithm.update(agent, optimizer, rollout, permutations, tf.constant(progress))
        rates.append(optimizer.learning_rate.numpy())
    assert rates == [np.float32(3e-4)] * 3


@pytest.mark.parametrize(("progress", "rate"), [(0.0, 0.01), (0.5, 0.005), (1.0, 0.0)])
def test_learning_rate_decays_linearly_to_0(agent, rollout, permutations, progress, rate):
    before = agent.parameters_hash()
    logs = eager_update(agent, rollout, permutations, progress, SETTINGS)
    assert logs["learning_rate"] == pytest.approx(rate)
    assert (agent.parameters_hash() != before) == (rate > 0)


@pytest.mark.parametrize(
    ("name", "progress", "value"),
    [
        *(("entropy_cost", progress, cost) for progress, cost in [(0.0, 0.5), (0.25, 0.4)]),
        *(("discount", progress, gamma) for progress, gamma in [(0.0, 0.5), (0.75, 0.2)]),
    ],
)
def test_what_comes_linearly_to_its_last(rollout, permutations, name, progress, value):
    found = []
    for settings in ({name: 0.5, f"last_{name}": 0.1}, {name: value}):
        agent = make_agent()
        eager_update(agent, rollout, permutations, progress, {**SETTINGS, **settings})
        found.append(parameters_of(agent))
    for changing, constant in zip(*found, strict=True):
        np.testing.assert_allclose(changing, constant, rtol=0, atol=1e-6)
    eager_update(other := make_agent(), rollout, permutations, progress, SETTINGS)
    assert np.abs(parameters_of(other)[0] - found[0][0]).max() > 1e-4


def test_truncation_can_count_as_termination(agent, rollout, permutations):
    settings = {**SETTINGS, "bootstrap_truncated": False}
    eager_update(agent, rollout, permutations, PROGRESS, settings)
    terminated = rollout._replace(
        terminated=rollout.terminated | rollout.truncated,
        truncated=np.zeros_like(rollout.truncated),
    )
    same, other = make_agent(), make_agent()
    eager_update(same, terminated, permutations, PROGRESS, SETTINGS)
    eager_update(other, rollout, permutations, PROGRESS, SETTINGS)
    assert agent.parameters_hash() == same.parameters_hash()
    assert agent.parameters_hash() != other.parameters_hash()


def test_decoupled_update_against_the_reference(agent, rollout, permutations):
    """Plain PPO on what the agent itself would have stored, with weighted advantages."""
    parameters = parameters_of(agent)
    forwarded = [[forward(parameters, row) for row in step] for step in rollout.observation]
    stored = rollout._replace(
        value=np.array([[value for _, value in step] for step in forwarded], np.float32)
    )
    batch = []
    for step in reference_batch(stored, SETTINGS):
        observation, action, behaviour_log_prob, value, advantage, target = step
        proximal_log_prob = log_softmax(forward(parameters, observation)[0])[action]
        weight = math.exp(proximal_log_prob - behaviour_log_prob)
        batch.append((observation, action, proximal_log_prob, value, weight * advantage, target))
    expected, _ = reference_update(parameters, batch, permutations, PROGRESS, SETTINGS)
    other = make_agent()
    compiled_update(agent, rollout, permutations, PROGRESS, {**SETTINGS, "decoupled": True})
    eager_update(other, rollout, permutations, PROGRESS, SETTINGS)
    for actual, wanted, plain in zip(
        parameters_of(agent), expected, parameters_of(other), strict=True
    ):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-5)
        assert np.abs(wanted - plain).max() > 1e-3


def test_decoupled_update_without_lag_is_the_plain_one(permutations):
    agent, same = make_agent(), make_agent()
    rollout = make_rollout(collector=agent)
    eager_update(agent, rollout, permutations, PROGRESS, {**SETTINGS, "decoupled": True})
    eager_update(same, rollout, permutations, PROGRESS, SETTINGS)
    for actual, expected in zip(agent.variables, same.variables, strict=True):
        np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=0, atol=1e-6)


def test_same_update_gives_the_same_bits(rollout, permutations):
    first, second = make_agent(), make_agent()
    for agent in (first, second):
        compiled_update(agent, rollout, permutations, PROGRESS, SETTINGS)
    assert first.parameters_hash() == second.parameters_hash()
    assert first.parameters_hash() != make_agent().parameters_hash()


def test_defaults_are_valid():
    algorithm = ppo.PPO()
    algorithm.check_batch(128, 16)
    assert (algorithm.epochs, algorithm.num_minibatches) == (2, 8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("num_minibatches", 0),
        ("clip", 0.0),
        ("clip", -0.1),
        ("max_gradient_norm", 0.0),
        ("learning_rate", 0.0),
        ("adam_epsilon", 0.0),
        ("discount", 1.1),
        ("discount", -0.1),
        ("gae_lambda", 1.1),
        ("gae_lambda", -0.1),
    ],
)
def test_bad_settings_name_their_binding(name, value):
    with pytest.raises(errors.ConfigError) as error:
        ppo.PPO(**{name: value})
    message = str(error.value).splitlines()[0]  # gin adds where the value came from
    assert message.startswith(f"PPO.{name} = {value}: must be a ")


@pytest.mark.parametrize(("name", "value"), [("discount", 1.0), ("gae_lambda", 0.0)])
def test_limits_are_allowed(name, value):
    ppo.PPO(**{name: value})


def test_minibatches_must_divide_the_batch():
    algorithm = ppo.PPO(num_minibatches=6)
    algorithm.check_batch(sync_interval=4, num_columns=3)
    with pytest.raises(errors.ConfigError) as error:
        algorithm.check_batch(sync_interval=4, num_columns=4)
    for word in ("PPO.num_minibatches = 6", "Trainer.sync_interval", "Trainer.num_envs", "16"):
        assert word in str(error.value)


def learnt_value(value_clip, permutations):
    """The mean value after updates on a reward of 1,000 in each step, and none to come."""
    agent = make_agent()
    rollout = make_rollout(collector=agent)
    rollout = rollout._replace(reward=np.full_like(rollout.reward, 1000))
    algorithm = ppo.PPO(**{**SETTINGS, "discount": 0, "learning_rate": 0.1}, value_clip=value_clip)
    optimizer = algorithm.make_optimizer()
    optimizer.build(agent.trainable_variables)

    @tf.function(autograph=False)
    def update(rollout):
        algorithm.update(agent, optimizer, rollout, tf.constant(permutations), tf.constant(0.0))

    for _ in range(48):
        # As an actor stores them: what the update clips around.
        _, values = agent.evaluate(as_tensors(rollout))
        update(as_tensors(rollout._replace(value=values.numpy())))
    return float(tf.reduce_mean(agent.evaluate(as_tensors(rollout))[1]))


def test_without_its_clip_the_value_learns_large_rewards(permutations):
    assert learnt_value(None, permutations) == pytest.approx(1000, rel=0.05)
    assert learnt_value("clip", permutations) < 500


def test_by_default_the_value_is_clipped_as_the_ratio_is(agent, rollout):
    minibatch = list(minibatch_tensors(reference_batch(rollout, SETTINGS)))
    value = agent.evaluate(minibatch[0])[1]
    minibatch[2] = value - tf.sign(minibatch[-1] - value)  # it has moved towards the targets
    loss, _ = ppo.PPO(**SETTINGS).loss(agent, *minibatch)
    as_ratio, _ = ppo.PPO(**SETTINGS, value_clip=SETTINGS["clip"]).loss(agent, *minibatch)
    free, logs = ppo.PPO(**SETTINGS, value_clip=None).loss(agent, *minibatch)
    assert float(loss) == float(as_ratio) != float(free)
    error = tf.reduce_mean(tf.square(value - minibatch[-1]))
    assert float(logs["value_loss"]) == pytest.approx(float(error) / 2, rel=1e-5)


class Penalised(ppo.PPO):
    """PPO with a term more in its log."""

    logged = (*ppo.PPO.logged, "penalty")

    def loss(self, *args, **kwargs):
        loss, logs = super().loss(*args, **kwargs)
        return loss, {**logs, "penalty": tf.constant(2.0)}


def test_a_subclass_logs_more(agent, rollout, permutations):
    logs = eager_update(agent, rollout, permutations, PROGRESS, SETTINGS, Penalised)
    assert logs["penalty"] == 2.0


def test_a_subclass_that_does_not_say_what_it_logs(agent, rollout, permutations, monkeypatch):
    monkeypatch.setattr(Penalised, "logged", ppo.PPO.logged)
    says = r"Penalised.loss returns for the log what is not in Penalised.logged, .*: penalty$"
    with pytest.raises(errors.ConfigError, match=says):
        eager_update(agent, rollout, permutations, PROGRESS, SETTINGS, Penalised)


def test_another_optimizer():
    settings = ppo.PPO(learning_rate=0.25, optimizer=keras.optimizers.SGD)
    optimizer = settings.make_optimizer()
    assert type(optimizer) is keras.optimizers.SGD
    assert float(optimizer.learning_rate) == 0.25
