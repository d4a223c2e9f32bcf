"""What the algorithms have in common where agents remember: they learn from sequences."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, trees
from hts_tf.algorithms import returns, update_steps
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.impala import IMPALA
from hts_tf.algorithms.ppo import PPO
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests.agents import shake
from tests.algorithms import reference

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_STEPS, NUM_ENVS = reference.NUM_STEPS, reference.NUM_ENVS


def make_agent(seed=1, sequence_length=None):
    torso = functools.partial(torsos.mlp, units=(4,))
    core = functools.partial(cores.lstm, units=5)
    agent = ActorCritic(reference.SPEC, seed, torso, core=core, sequence_length=sequence_length)
    shake(agent.trainable_variables, np.random.default_rng(seed))
    return agent


def make_rollout(agent):
    """That of `reference`, as the agent would have collected it."""
    rollout = reference.make_rollout(lambda observation: agent(observation, zeros(agent, 15)))
    states, policies, values = [], [], []
    state = zeros(agent, NUM_ENVS)
    ended = np.ones(NUM_ENVS, bool)
    for t, observation in enumerate(rollout.observation):
        state = trees.map(lambda x, ended=ended: np.where(ended[:, None], 0, x), state)
        states.append(state)
        answer = agent.act(observation, state, np.zeros((NUM_ENVS, 3), np.float32))
        state = answer.state
        policies.append(answer.policy)
        values.append(answer.value)
        if t < NUM_STEPS:
            ended = rollout.terminated[t] | rollout.truncated[t]
    return rollout._replace(
        state=trees.map(lambda *x: np.stack(x), *states),
        policy=trees.map(lambda *x: np.stack(x), *policies[:-1]),
        value=np.stack(values),
    )


def zeros(agent, size):
    return trees.map(lambda s: np.zeros((size, *s.shape), s.dtype), agent.step.state)


def permutations(epochs, count):
    return np.tile(np.arange(count, dtype=np.int32), (epochs, 1))


def update(algorithm, agent, rollout, count, run=reference.compiled_update, **agents):
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(agent.trainable_variables)
    return run(
        algorithm,
        agent,
        optimizer,
        rollout,
        permutations(algorithm.epochs, count),
        0.0,
        **agents,
    )


def test_pieces_are_stretches_of_columns():
    array = np.arange(24).reshape(6, 2, 2)  # [T, B, 2]
    cut = update_steps.pieces(tf.constant(array), 3).numpy()
    assert cut.shape == (3, 4, 2)
    for number, (start, column) in enumerate([(0, 0), (0, 1), (3, 0), (3, 1)]):
        np.testing.assert_array_equal(cut[:, number], array[start : start + 3, column])
    taken = update_steps.take(tf.constant(cut), tf.constant([3, 1]), 3).numpy()
    np.testing.assert_array_equal(taken, cut[:, [3, 1]])
    np.testing.assert_array_equal(update_steps.pieces(tf.constant(array), 6), array)


def test_pieces_without_a_length_are_steps():
    array = np.arange(24).reshape(6, 2, 2)
    cut = update_steps.pieces(tf.constant(array), None)
    np.testing.assert_array_equal(cut, array.reshape(12, 2))
    taken = update_steps.take(cut, tf.constant([5]), None)
    np.testing.assert_array_equal(taken, [array[2, 1]])


@pytest.mark.parametrize("length", [1, 2, 4])
def test_with_their_states_pieces_are_what_the_whole_is(length):
    agent = make_agent()
    rollout = reference.as_tensors(make_rollout(agent))
    policy, value = agent.evaluate(rollout)
    whole = update_steps.pieces((policy["logits"][:-1], value[:-1]), length)
    cut_policy, cut_value = agent.evaluate(update_steps.pieces(update_steps.steps(rollout), length))
    np.testing.assert_allclose(cut_policy["logits"], whole[0], atol=1e-5)
    np.testing.assert_allclose(cut_value, whole[1], atol=1e-5)


@pytest.mark.parametrize(
    ("length", "rows_at_once"),
    [*((None, rows) for rows in (1, 5, 9, 10, 15, 100)), (2, 6), (2, 100), (1, 4)],
)  # (2, 6): three chunks of two of the six columns
def test_evaluating_in_chunks_of_columns_is_evaluating(length, rows_at_once):
    agent = make_agent(sequence_length=length)
    rollout = reference.as_tensors(make_rollout(agent))

    @tf.function(autograph=False)
    def in_chunks():
        return update_steps.evaluate_in_chunks(agent, rollout, rows_at_once)

    policy, value = in_chunks()
    np.testing.assert_allclose(policy["logits"][:-1], rollout.policy["logits"], atol=1e-5)
    np.testing.assert_allclose(value, rollout.value, atol=1e-5)


def literal_step(agent, rollout, loss_of):
    """One step of plain gradient descent, by unrolling in Python what the graph loops over."""
    columns = reference.as_tensors(rollout)
    with tf.GradientTape() as tape:
        state = trees.map(lambda x: x[0], columns.state)
        log_probs, entropies, values = [], [], []
        for t in range(NUM_STEPS):
            if t:
                ended = (rollout.terminated | rollout.truncated)[t - 1][:, None]
                state = trees.map(lambda x, ended=ended: tf.where(ended, 0.0, x), state)
            answer = agent.act(columns.observation[t], state, tf.zeros((NUM_ENVS, 3)))
            state = answer.state
            policy = agent.distribution(answer.policy)
            log_probs.append(policy.log_prob(columns.action[t]))
            entropies.append(policy.entropy())
            values.append(answer.value)
        loss = loss_of(tf.stack(log_probs), tf.stack(entropies), tf.stack(values))
    gradients = tape.gradient(loss, agent.trainable_variables)
    for variable, gradient in zip(agent.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)


def assert_same_parameters(agent, other):
    for one, two in zip(agent.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)


def test_a2c_learns_through_the_whole_interval():
    rollout = make_rollout(make_agent())
    agent, other = make_agent(), make_agent()
    algorithm = A2C(max_gradient_norm=1e9, optimizer=keras.optimizers.SGD, learning_rate=0.1)
    targets = returns.n_step_returns(reference.as_tensors(rollout), algorithm.discount)

    def loss(log_prob, entropy, value):
        return (
            -tf.reduce_mean(log_prob * targets.advantages)
            + 0.5 * tf.reduce_mean((value - targets.returns) ** 2)
            - 0.01 * tf.reduce_mean(entropy)
        )

    update(algorithm, agent, rollout, 0)
    literal_step(other, rollout, loss)
    assert_same_parameters(agent, other)


@pytest.mark.parametrize("length", [None, 2, 1])
def test_ppo_begins_at_its_proximal_policy(length):
    """Whose sequences begin with the stored states, too, which another policy has left."""
    rollout = make_rollout(make_agent(seed=2))
    agent = make_agent(sequence_length=length)
    count = NUM_STEPS // (length or NUM_STEPS) * NUM_ENVS
    run = reference.eager_update if length else reference.compiled_update
    logs = update(PPO(epochs=1, num_minibatches=1), agent, rollout, count, run)
    assert abs(logs["kl"]) < 1e-9
    assert logs["clip_fraction"] == 0.0


@pytest.mark.parametrize("decoupled", [True, False])
def test_ppo_learns_through_sequences(decoupled):
    """One epoch of one minibatch, with whole intervals for sequences."""
    rollout = make_rollout(make_agent())
    agent, other = make_agent(), make_agent()
    algorithm = PPO(
        epochs=1, num_minibatches=1, max_gradient_norm=1e9, decoupled=decoupled, learning_rate=0.1
    )
    targets = returns.generalized_advantage_estimation(
        reference.as_tensors(rollout), algorithm.discount, algorithm.gae_lambda
    )
    advantages = targets.advantages
    advantages = (advantages - tf.reduce_mean(advantages)) / (tf.math.reduce_std(advantages) + 1e-5)

    def loss(log_prob, entropy, value):
        # At the parameters that collected: no ratio is clipped yet.
        return (
            -tf.reduce_mean(tf.exp(log_prob - tf.stop_gradient(log_prob)) * advantages)
            + 0.25 * tf.reduce_mean((value - targets.returns) ** 2)
            - 0.003 * tf.reduce_mean(entropy)
        )

    run = reference.compiled_update if decoupled else reference.eager_update
    update(algorithm, agent, rollout, NUM_ENVS, run)
    literal_step(other, rollout, loss)
    assert_same_parameters(agent, other)


def test_impala_learns_through_the_whole_unroll():
    rollout = make_rollout(make_agent())
    agent, other = make_agent(), make_agent()
    algorithm = IMPALA(optimizer=keras.optimizers.SGD, learning_rate=0.1)
    columns = reference.as_tensors(rollout)
    targets = returns.v_trace(columns, tf.zeros((NUM_STEPS, NUM_ENVS)), algorithm.discount)

    def loss(log_prob, entropy, value):
        return (
            -tf.reduce_mean(log_prob * targets.advantages)
            + 0.25 * tf.reduce_mean((value - targets.returns) ** 2)
            - algorithm.entropy_cost * tf.reduce_mean(entropy)
        )

    update(algorithm, agent, rollout, 0)
    literal_step(other, rollout, loss)
    assert_same_parameters(agent, other)


def test_shorter_sequences_learn_less_of_the_past():
    rollout = make_rollout(make_agent())
    algorithm = PPO(epochs=1, num_minibatches=1)
    hashes = set()
    for length in (None, 4, 2, 1):
        agent = make_agent(sequence_length=length)
        count = NUM_STEPS // (length or NUM_STEPS) * NUM_ENVS
        update(algorithm, agent, rollout, count, reference.eager_update)
        hashes.add(agent.parameters_hash())
    assert len(hashes) == 3  # 4 is the whole


def test_every_sequence_is_in_one_minibatch_of_each_epoch():
    """With as many minibatches as sequences, their order matters; with one, it does not."""
    rollout = make_rollout(make_agent())

    def after(num_minibatches, order):
        agent = make_agent(sequence_length=2)
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(agent.trainable_variables)
        algorithm = PPO(epochs=1, num_minibatches=num_minibatches, learning_rate=0.1)
        reference.eager_update(
            algorithm, agent, optimizer, rollout, np.array([order], np.int32), 0.0
        )
        return np.concatenate([v.numpy().ravel() for v in agent.trainable_variables])

    forth, back = [0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]
    np.testing.assert_allclose(after(1, forth), after(1, back), atol=1e-6)
    assert np.abs(after(6, forth) - after(6, back)).max() > 1e-4


def test_minibatches_are_of_whole_sequences():
    PPO(num_minibatches=6).check_batch(4, 3, sequence_length=2)
    with pytest.raises(
        errors.ConfigError, match=r"PPO\.num_minibatches = 4 does not divide the 6 sequences"
    ):
        PPO(num_minibatches=4).check_batch(4, 3, sequence_length=2)


def test_who_can_train_agents_that_remember():
    assert not Algorithm.recurrent
    assert A2C.recurrent and PPO.recurrent and IMPALA.recurrent
