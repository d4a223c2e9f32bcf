import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, rollouts
from hts_tf.algorithms import a2c
from tests.algorithms import reference
from tests.algorithms.reference import NUM_ENVS, NUM_STEPS, make_agent, make_rollout

pytestmark = pytest.mark.usefixtures("op_determinism")

SETTINGS = {
    "discount": 0.9,
    "value_cost": 0.7,
    "entropy_cost": 0.02,
    "max_gradient_norm": 0.3,
    "learning_rate": 0.01,
}
DECAY, EPSILON = 0.99, 1e-5  # RMSProp's


# What follows, down to `reference_step`, is A2C once more: literal, slow, in float64.


def reference_batch(rollout, bootstrap_truncated=True):
    """Algorithm S3 of Mnih et al. 2016: the return of each step, backwards through the rollout."""
    steps = []
    for b in range(NUM_ENVS):
        following = float(rollout.value[NUM_STEPS, b])
        for t in reversed(range(NUM_STEPS)):
            if rollout.terminated[t, b]:
                following = 0.0
            if rollout.truncated[t, b]:
                following = float(rollout.truncation_value[t, b]) if bootstrap_truncated else 0.0
            following = float(rollout.reward[t, b]) + SETTINGS["discount"] * following
            steps.append(
                (
                    rollout.observation[t, b].astype(np.float64),
                    rollout.action[t, b],
                    following - float(rollout.value[t, b]),
                    following,
                )
            )
    return steps


def reference_loss(parameters, steps):
    return reference.actor_critic_loss(
        parameters, steps, SETTINGS["value_cost"], SETTINGS["entropy_cost"]
    )


def reference_step(parameters, squares, gradient_parameters, rollout, progress, settings):
    """The gradient at some parameters, clipped, in an RMSProp step of others.

    Returns:
      The new parameters, the new mean squares, and the gradient's norm before clipping.
    """
    steps = reference_batch(rollout)
    gradient = reference.gradient_of(lambda p: reference_loss(p, steps), gradient_parameters)
    norm = reference.norm_of(gradient)
    clipped = [min(1.0, settings["max_gradient_norm"] / norm) * slope for slope in gradient]
    squares = [DECAY * g + (1 - DECAY) * s**2 for g, s in zip(squares, clipped, strict=True)]
    rate = settings["learning_rate"] * (1 - progress)
    parameters = [
        array - rate * slope / np.sqrt(square + EPSILON)
        for array, slope, square in zip(parameters, clipped, squares, strict=True)
    ]
    return parameters, squares, norm


class Training:
    """An agent in training, and beside it the same by the reference."""

    def __init__(self, run=reference.compiled_update, **settings):
        self._run = run
        self.settings = {**SETTINGS, **settings}
        self.algorithm = a2c.A2C(**self.settings)
        self.agent = make_agent()
        self.optimizer = self.algorithm.make_optimizer()
        self.optimizer.build(self.agent.trainable_variables)
        self.expected = reference.parameters_of(self.agent)
        self._squares = [np.zeros_like(array) for array in self.expected]

    def update(self, rollout, progress=0.0, **agents):
        """Updates the agent only."""
        return self._run(
            self.algorithm,
            self.agent,
            self.optimizer,
            rollout,
            reference.NO_PERMUTATIONS,
            progress,
            **agents,
        )

    def update_both(self, rollout, progress=0.0, gradient_agent=None):
        """Returns the logs, and the reference's gradient norm."""
        at = reference.parameters_of(gradient_agent) if gradient_agent else self.expected
        self.expected, self._squares, norm = reference_step(
            self.expected, self._squares, at, rollout, progress, self.settings
        )
        return self.update(rollout, progress, gradient_agent=gradient_agent), norm

    def check(self):
        for actual, wanted in zip(reference.parameters_of(self.agent), self.expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-5)


def movement(before, after):
    return max(np.abs(b - a).max() for b, a in zip(before, after, strict=True))


def test_loss_and_its_gradient():
    agent, rollout = make_agent(), make_rollout(collector=make_agent(seed=2))
    steps = reference_batch(rollout)
    observation, action, advantage, target = map(np.array, zip(*steps, strict=True))
    with tf.GradientTape() as tape:
        loss, _ = a2c.A2C(**SETTINGS).loss(
            agent,
            rollouts.Rollout(tf.constant(observation, tf.float32), tf.constant(action, tf.uint8)),
            tf.constant(advantage, tf.float32),
            tf.constant(target, tf.float32),
        )
    gradient = tape.gradient(loss, agent.trainable_variables)
    parameters = reference.parameters_of(agent)
    assert float(loss) == pytest.approx(reference_loss(parameters, steps), rel=1e-5)
    expected = reference.gradient_of(lambda p: reference_loss(p, steps), parameters)
    for actual_array, expected_array in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(actual_array, expected_array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("max_gradient_norm", [0.3, 100.0])
def test_updates_against_the_reference(max_gradient_norm):
    """On the policy that collected, as under the `sync` schedule."""
    training = Training(max_gradient_norm=max_gradient_norm)
    start = training.expected
    for update in range(3):
        rollout = make_rollout(collector=training.agent, seed=update)
        logs, norm = training.update_both(rollout, progress=update / 4)
        training.check()
        assert logs["gradient_norm"] == pytest.approx(norm, rel=1e-3)
        assert logs["learning_rate"] == pytest.approx(0.01 * (1 - update / 4))
        assert (norm > 0.3) and (norm < 100)  # clipped in one of the two cases
    assert movement(start, training.expected) > 1e-2


def test_without_lag_the_delayed_gradient_is_the_plain_one_to_the_bit():
    plain, delayed = Training(), Training()
    collector = make_agent()  # of the same parameters
    for update in range(3):
        rollout = make_rollout(collector=collector, seed=update)
        plain.update(rollout)
        delayed.update(rollout, gradient_agent=collector)
        assert delayed.agent.parameters_hash() == plain.agent.parameters_hash()
        assert collector.parameters_hash() != plain.agent.parameters_hash()
        collector.copy_from(plain.agent)


def test_delayed_gradient_against_the_reference():
    """theta(j+1) = theta(j) - step(gradient at theta(j-1) on D(j-1)), as under `hts`."""
    training = Training()
    collector = make_agent()  # theta(0), which collects both D(0) and D(1)
    for update in range(3):
        rollout = make_rollout(collector=collector, seed=update)
        current = make_agent()
        current.copy_from(training.agent)
        training.update_both(rollout, gradient_agent=collector)
        training.check()
        collector.copy_from(current)


def test_the_gradient_is_taken_where_it_is_said():
    """With other parameters of the gradient, the step is another: the tests above can tell."""
    rollout = make_rollout(collector=make_agent(seed=2))
    plain, delayed = Training(reference.eager_update), Training(reference.eager_update)
    plain.update(rollout)
    delayed.update(rollout, gradient_agent=make_agent(seed=2))
    assert movement(*map(reference.parameters_of, (plain.agent, delayed.agent))) > 1e-3


def test_the_gradients_agent_is_left_alone():
    collector = make_agent(seed=2)
    before = collector.parameters_hash()
    training = Training(reference.eager_update)
    training.update(make_rollout(collector=collector), gradient_agent=collector)
    assert collector.parameters_hash() == before


def test_truncation_can_count_as_termination():
    rollout = make_rollout(collector=make_agent())
    terminated = rollout._replace(
        terminated=rollout.terminated | rollout.truncated,
        truncated=np.zeros_like(rollout.truncated),
    )
    hashes = []
    for settings, experience in [
        ({"bootstrap_truncated": False}, rollout),
        ({}, terminated),
        ({}, rollout),
    ]:
        training = Training(reference.eager_update, **settings)
        training.update(experience)
        hashes.append(training.agent.parameters_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_defaults_are_valid():
    algorithm = a2c.A2C()
    algorithm.check_batch(5, 16)
    assert algorithm.epochs == 0
    assert algorithm.make_optimizer().learning_rate.numpy() == pytest.approx(7e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("discount", 1.1), ("discount", -0.1), ("max_gradient_norm", 0.0), ("learning_rate", 0.0)],
)
def test_bad_settings_name_their_binding(name, value):
    with pytest.raises(errors.ConfigError) as error:
        a2c.A2C(**{name: value})
    message = str(error.value).splitlines()[0]  # gin adds where the value came from
    assert message.startswith(f"A2C.{name} = {value}: must be a ")
