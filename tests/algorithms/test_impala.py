import math

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors
from hts_tf.algorithms import a2c, impala, optimizers
from tests.algorithms import reference
from tests.algorithms.reference import NUM_ENVS, NUM_STEPS, make_agent, make_rollout

pytestmark = pytest.mark.usefixtures("op_determinism")

SETTINGS = {
    "discount": 0.9,
    "v_trace_lambda": 0.8,
    "clip_rho": 1.05,
    "clip_c": 0.9,
    "value_cost": 0.7,
    "entropy_cost": 0.02,
    "learning_rate": 0.01,
}
BETA_2, EPSILON = 0.999, 1e-7  # Adam's


@pytest.fixture
def rollout():
    """By another policy than `make_agent()`'s."""
    return make_rollout(collector=make_agent(seed=2))


# What follows, down to `reference_update`, is IMPALA's learner once more: literal, in float64.


def reference_batch(parameters, rollout):
    """V-trace as the sums of products of equation 1, and the policy gradient of section 4.2."""
    steps = []
    for b in range(NUM_ENVS):
        seen = [
            reference.forward(parameters, observation.astype(np.float64))
            for observation in rollout.observation[:, b]
        ]
        values = [value for _, value in seen]
        ends = rollout.terminated[:, b] | rollout.truncated[:, b]

        def after(t, otherwise, b=b, ends=ends):
            """What is V', or v_{t+1}: otherwise, where the episode goes on."""
            if not ends[t]:
                return otherwise
            return float(rollout.truncation_value[t, b]) if rollout.truncated[t, b] else 0.0

        rhos, cs, deltas = [], [], []
        for t in range(NUM_STEPS):
            action = rollout.action[t, b]
            target = reference.log_softmax(seen[t][0])[action]
            stored = rollout.policy["logits"][t, b].astype(np.float64)
            behaviour = reference.log_softmax(stored)[action]
            ratio = math.exp(target - behaviour)
            rhos.append(min(SETTINGS["clip_rho"], ratio))
            cs.append(SETTINGS["v_trace_lambda"] * min(SETTINGS["clip_c"], ratio))
            following = SETTINGS["discount"] * after(t, values[t + 1])
            deltas.append(rhos[t] * (float(rollout.reward[t, b]) + following - values[t]))
        targets = []
        for s in range(NUM_STEPS):
            target, weight = values[s], 1.0
            for t in range(s, NUM_STEPS):
                target += weight * deltas[t]
                if ends[t]:
                    break
                weight *= SETTINGS["discount"] * cs[t]
            targets.append(target)
        for t in range(NUM_STEPS):
            following = after(t, targets[t + 1] if t + 1 < NUM_STEPS else values[NUM_STEPS])
            q = float(rollout.reward[t, b]) + SETTINGS["discount"] * following
            steps.append(
                (
                    rollout.observation[t, b].astype(np.float64),
                    rollout.action[t, b],
                    rhos[t] * (q - values[t]),
                    targets[t],
                )
            )
    return steps


def reference_loss_and_gradient(parameters, rollout):
    """Targets and advantages are constants to the gradient."""
    steps = reference_batch(parameters, rollout)

    def loss(parameters):
        return reference.actor_critic_loss(
            parameters, steps, SETTINGS["value_cost"], SETTINGS["entropy_cost"]
        )

    return loss(parameters), reference.gradient_of(loss, parameters)


def reference_update(parameters, second, count, rollout, progress, max_gradient_norm):
    """An Adam step without momentum (Kingma & Ba 2015, Algorithm 1, with beta_1 = 0)."""
    _, gradient = reference_loss_and_gradient(parameters, rollout)
    norm = reference.norm_of(gradient)
    scale = min(1.0, max_gradient_norm / norm) if max_gradient_norm else 1.0
    rate = SETTINGS["learning_rate"] * (1 - progress)
    new_parameters, new_second = [], []
    for array, slope, v in zip(parameters, gradient, second, strict=True):
        new_second.append(BETA_2 * v + (1 - BETA_2) * (scale * slope) ** 2)
        root = np.sqrt(new_second[-1] / (1 - BETA_2**count))
        new_parameters.append(array - rate * scale * slope / (root + EPSILON))
    return new_parameters, new_second, norm


def test_loss_and_its_gradient(rollout):
    agent = make_agent()
    with tf.GradientTape() as tape:
        loss, logs = impala.IMPALA(**SETTINGS).loss(agent, reference.as_tensors(rollout))
    gradient = tape.gradient(loss, agent.trainable_variables)
    expected_loss, expected = reference_loss_and_gradient(reference.parameters_of(agent), rollout)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-5)
    for actual_array, expected_array in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(actual_array, expected_array, rtol=1e-4, atol=1e-5)
    # All of it was put to the test: some ratios are clipped, some are not.
    assert 0.1 < float(logs["clip_fraction"]) < 0.9


@pytest.mark.parametrize("max_gradient_norm", [None, 0.3])
def test_updates_against_the_reference(max_gradient_norm):
    """Experience of a policy that does not change, so that the lag grows."""
    agent = make_agent()
    algorithm = impala.IMPALA(**SETTINGS, max_gradient_norm=max_gradient_norm)
    optimizer = algorithm.make_optimizer()
    optimizer.build(agent.trainable_variables)
    expected = reference.parameters_of(agent)
    second = [np.zeros_like(array) for array in expected]
    for update in range(3):
        rollout = make_rollout(collector=make_agent(seed=2), seed=update)
        before = expected
        expected, second, norm = reference_update(
            expected, second, update + 1, rollout, update / 4, max_gradient_norm
        )
        logs = reference.compiled_update(
            algorithm, agent, optimizer, rollout, reference.NO_PERMUTATIONS, update / 4
        )
        # Adam's first steps divide gradients by their own size: small ones lose their last digits.
        for actual, wanted, old in zip(
            reference.parameters_of(agent), expected, before, strict=True
        ):
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=5e-5)
            assert np.abs(wanted - old).max() > 1e-3
        assert logs["gradient_norm"] == pytest.approx(norm, rel=1e-3)
        assert logs["learning_rate"] == pytest.approx(0.01 * (1 - update / 4))


def test_on_the_policy_that_collected_it_is_a2c():
    shared = {"discount": 0.9, "value_cost": 0.7, "entropy_cost": 0.02, "learning_rate": 0.01}
    rollout = make_rollout(collector=make_agent())
    trained = []
    for algorithm in (
        impala.IMPALA(**shared, max_gradient_norm=0.3, optimizer=optimizers.rmsprop),
        a2c.A2C(**shared, max_gradient_norm=0.3),
    ):
        agent = make_agent()
        optimizer = algorithm.make_optimizer()
        optimizer.build(agent.trainable_variables)
        logs = reference.eager_update(
            algorithm, agent, optimizer, rollout, reference.NO_PERMUTATIONS, 0.0
        )
        trained.append((reference.parameters_of(agent), logs))
    (impala_parameters, impala_logs), (a2c_parameters, a2c_logs) = trained
    for one, other in zip(impala_parameters, a2c_parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    for name in a2c_logs:
        assert impala_logs[name] == pytest.approx(a2c_logs[name], rel=1e-4, abs=1e-5)
    assert impala_logs["kl"] == pytest.approx(0.0, abs=1e-6)


def test_stored_values_do_not_matter(rollout):
    """All values are the target agent's own, but for those after a truncation."""
    unknown = rollout._replace(value=np.full_like(rollout.value, np.nan))
    other = rollout._replace(truncation_value=rollout.truncation_value + 1)
    algorithm, agent = impala.IMPALA(**SETTINGS), make_agent()
    losses = [
        float(algorithm.loss(agent, reference.as_tensors(experience))[0])
        for experience in (rollout, unknown, other)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_same_update_gives_the_same_bits(rollout):
    hashes = []
    for _ in range(2):
        agent, algorithm = make_agent(), impala.IMPALA(**SETTINGS)
        optimizer = algorithm.make_optimizer()
        optimizer.build(agent.trainable_variables)
        reference.compiled_update(
            algorithm, agent, optimizer, rollout, reference.NO_PERMUTATIONS, 0.0
        )
        hashes.append(agent.parameters_hash())
    assert hashes[0] == hashes[1] != make_agent().parameters_hash()


def test_defaults_are_valid():
    algorithm = impala.IMPALA()
    algorithm.check_batch(32, 16)
    assert algorithm.epochs == 0
    assert not algorithm.delayed_gradient
    optimizer = algorithm.make_optimizer()
    assert optimizer.learning_rate.numpy() == pytest.approx(1.2542e-4)
    assert optimizer.beta_1 == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discount", 1.1),
        ("v_trace_lambda", -0.1),
        ("clip_rho", 0.0),
        ("clip_c", 0.0),
        ("max_gradient_norm", 0.0),
        ("learning_rate", 0.0),
    ],
)
def test_bad_settings_name_their_binding(name, value):
    with pytest.raises(errors.ConfigError) as error:
        impala.IMPALA(**{name: value})
    message = str(error.value).splitlines()[0]  # gin adds where the value came from
    assert message.startswith(f"IMPALA.{name} = {value}: must be a ")


def test_c_bar_must_not_exceed_rho_bar():
    with pytest.raises(errors.ConfigError) as error:
        impala.IMPALA(clip_rho=0.5)
    assert "IMPALA.clip_c = 1.0 must not exceed IMPALA.clip_rho = 0.5" in str(error.value)
