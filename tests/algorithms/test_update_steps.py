import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, rollouts
from hts_tf.algorithms import update_steps
from tests.algorithms import reference
from tests.algorithms.reference import NUM_ENVS, NUM_STEPS, make_agent, make_rollout

pytestmark = pytest.mark.usefixtures("op_determinism")


@pytest.mark.parametrize("rows_at_once", [1, 4, 5, 7, 15])
def test_evaluating_in_chunks_is_evaluating(rows_at_once):
    """Also where a rest is left, and where all is one chunk."""
    agent = make_agent()
    rollout = reference.as_tensors(make_rollout(agent))
    assert rollout.value.shape == (5, 3)

    @tf.function(autograph=False)
    def in_chunks():
        return update_steps.evaluate_in_chunks(agent, rollout, rows_at_once)

    policy, value = in_chunks()
    expected_policy, expected_value = agent.evaluate(rollout)
    assert list(policy) == ["logits"]
    np.testing.assert_allclose(policy["logits"], expected_policy["logits"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(value, expected_value, rtol=1e-5, atol=1e-6)


def test_steps_are_without_the_last_observation():
    rollout = reference.as_tensors(make_rollout(make_agent()))
    steps = update_steps.steps(rollout)
    np.testing.assert_array_equal(steps.observation, rollout.observation[:-1])
    np.testing.assert_array_equal(steps.action, rollout.action)
    rows = update_steps.pieces(steps, length=None)
    assert rows.observation.shape == (NUM_STEPS * NUM_ENVS, 3)
    np.testing.assert_array_equal(rows.action[NUM_ENVS], rollout.action[1, 0])


def test_what_a_loss_does_not_reach_stays():
    agent = make_agent()
    before = [variable.numpy() for variable in agent.trainable_variables]
    rollout = rollouts.Rollout(observation=tf.ones((4, 3)))

    def loss(agent, rollout):  # not of the value
        policy, _ = agent.evaluate(rollout)
        return tf.reduce_mean(policy["logits"][:, 0]), {}

    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(agent.trainable_variables)
    update_steps.descend(loss, lambda shard: (rollout,), agent, optimizer, None)
    changed = [
        not np.array_equal(variable, array)
        for variable, array in zip(agent.trainable_variables, before, strict=True)
    ]
    assert any(changed)
    assert not all(changed)


def test_an_optimizer_with_a_schedule_of_its_own():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 100)
    with pytest.raises(errors.ConfigError, match="SGD's learning rate follows a schedule, but"):
        update_steps.decay_learning_rate(keras.optimizers.SGD(decay), 0.1, 0.0, tf.constant(0.5))
