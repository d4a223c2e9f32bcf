import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, rollouts, specs, trees
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.initialisation import Seeds
from tests.agents import shake

pytestmark = pytest.mark.usefixtures("op_determinism")

SPEC = specs.EnvironmentSpec(
    specs.ArraySpec((3,), "float32"), specs.DiscreteSpec(num_values=2), max_episode_steps=9
)
LENGTH, WIDTH, UNITS = 6, 4, 5
MAKERS = {"lstm": cores.lstm, "gru": cores.gru}


@pytest.fixture(params=MAKERS)
def agent(request):
    return make(MAKERS[request.param])


def make(maker, **settings):
    core = functools.partial(maker, units=UNITS)
    torso = functools.partial(torsos.mlp, units=(4,))
    agent = ActorCritic(SPEC, 0, torso, core=core, **settings)
    shake(agent.variables, np.random.default_rng(1))
    return agent


def zeros_of(agent):
    return trees.map(lambda s: np.zeros((WIDTH, *s.shape), s.dtype), agent.step.state)


def sequences(agent, seed=0):
    """A rollout of L + 1 observations, with endings of both kinds, that began in the middle."""
    random = np.random.default_rng(seed)
    terminated, truncated = np.zeros((2, LENGTH, WIDTH), bool)
    terminated[1, 0] = truncated[2, 1] = terminated[LENGTH - 1, 3] = True
    return rollouts.Rollout(
        observation=random.normal(size=(LENGTH + 1, WIDTH, 3)).astype(np.float32),
        terminated=terminated,
        truncated=truncated,
        state=trees.map(
            lambda s: random.normal(size=(LENGTH + 1, WIDTH, *s.shape)).astype(np.float32),
            agent.step.state,
        ),
    )


def step_by_step(agent, rollout):
    """Literally: one observation after another, and zeros after an episode's end."""
    state = trees.map(lambda x: x[0], rollout.state)
    noise = np.zeros((WIDTH, 2), np.float32)
    for t, observation in enumerate(rollout.observation):
        if t:
            ended = (rollout.terminated | rollout.truncated)[t - 1]
            state = trees.map(lambda x, ended=ended: np.where(ended[:, None], 0, x), state)
        answer = agent.act(observation, state, noise)
        state = answer.state
        yield answer


def test_what_a_step_consists_of():
    assert make(cores.lstm).step.state == {
        "h": specs.ArraySpec((UNITS,), "float32"),
        "c": specs.ArraySpec((UNITS,), "float32"),
    }
    assert list(rollouts.leaves(make(cores.gru).step))[-1:] == ["state/h"]


def test_a_value_is_made_of_memory_and_of_what_it_alone_sees():
    seen = {"player": SPEC.observation, specs.CRITIC_STATE: specs.ArraySpec((2,), "float32")}
    torso = functools.partial(torsos.mlp, units=(32,))
    core = functools.partial(cores.gru, units=UNITS)
    spec = dataclasses.replace(SPEC, observation=seen)
    agent = ActorCritic(spec, 0, torso, core=core, value_torso=torso)
    shake(agent.variables, np.random.default_rng(1))

    def answer(remembered, state):
        observation = {
            "player": np.ones((1, 3), np.float32),
            specs.CRITIC_STATE: np.full((1, 2), state, np.float32),
        }
        h = np.full((1, UNITS), remembered, np.float32)
        return agent.act(observation, {"h": h}, np.zeros((1, 2), np.float32))

    plain, knowing, remembering = answer(0, 0), answer(0, 1), answer(1, 0)
    assert len({float(each.value[0]) for each in (plain, knowing, remembering)}) == 3
    np.testing.assert_array_equal(knowing.policy["logits"], plain.policy["logits"])
    assert not np.array_equal(remembering.policy["logits"], plain.policy["logits"])


def test_a_rollout_is_evaluated_as_it_was_acted(agent):
    rollout = sequences(agent)
    policy, value = agent.evaluate(trees.map(tf.constant, rollout))
    for t, answer in enumerate(step_by_step(agent, rollout)):
        np.testing.assert_allclose(policy["logits"][t], answer.policy["logits"], atol=1e-5)
        np.testing.assert_allclose(value[t], answer.value, atol=1e-5)


def test_the_past_matters_within_an_episode_only(agent):
    rollout = sequences(agent)
    _, before = agent.evaluate(trees.map(tf.constant, rollout))
    rollout.observation[0] += 1.0
    _, after = agent.evaluate(trees.map(tf.constant, rollout))
    differs = (before != after).numpy()
    assert differs[:2].all()
    assert not differs[2:, 0].any()  # terminated in step 1
    assert differs[2, 1]
    assert not differs[3:, 1].any()  # truncated in step 2
    assert differs[:, 2].all()
    assert differs[:LENGTH, 3].all()
    assert not differs[LENGTH, 3]


def test_gradients_flow_through_time(agent):
    rollout = trees.map(tf.constant, sequences(agent))
    with tf.GradientTape() as tape:
        tape.watch(rollout.observation)
        value = agent.evaluate(rollout)[1][LENGTH - 1, 2]
    gradient = tape.gradient(value, rollout.observation).numpy()
    assert (gradient[:LENGTH, 2] != 0).any(axis=-1).all()
    assert not gradient[:, [0, 1, 3]].any()
    assert not gradient[LENGTH].any()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_is_that_of_the_books():
    core = cores.lstm(Seeds(0), units=UNITS)
    random = np.random.default_rng(0)
    x, h, c = (random.normal(size=(WIDTH, n)).astype(np.float32) for n in (3, UNITS, UNITS))
    output, state = core(x, {"h": h, "c": c})
    kernel, recurrent, bias = (variable.numpy() for variable in core.trainable_variables)
    assert bias.tolist() == [0.0] * UNITS + [1.0] * UNITS + [0.0] * 2 * UNITS
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    after = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    np.testing.assert_allclose(state["c"], after, atol=1e-5)
    np.testing.assert_allclose(output, sigmoid(o) * np.tanh(after), atol=1e-5)
    np.testing.assert_array_equal(output, state["h"])


def test_gru_is_that_of_the_books():
    core = cores.gru(Seeds(0), units=UNITS)
    random = np.random.default_rng(0)
    x, h = (random.normal(size=(WIDTH, n)).astype(np.float32) for n in (3, UNITS))
    output, state = core(x, {"h": h})
    kernel, recurrent, _ = (variable.numpy() for variable in core.trainable_variables)
    z, r, new = np.split(x @ kernel, 3, axis=-1)
    z_, r_, new_ = np.split(h @ recurrent, 3, axis=-1)
    z, r = sigmoid(z + z_), sigmoid(r + r_)
    np.testing.assert_allclose(output, z * h + (1 - z) * np.tanh(new + r * new_), atol=1e-5)
    np.testing.assert_array_equal(output, state["h"])


def test_the_seed_decides_the_weights():
    one, same, other = (
        ActorCritic(SPEC, seed, torsos.mlp, core=cores.lstm).parameters_hash() for seed in (0, 0, 1)
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("interval", "setting", "length"), [(12, None, 12), (12, 12, 12), (12, 4, 4), (5, 1, 1)]
)
def test_sequences(interval, setting, length):
    assert make(cores.gru, sequence_length=setting).sequence_length(interval) == length


def test_sequences_that_do_not_fit_are_refused():
    agent = make(cores.gru, sequence_length=5)
    with pytest.raises(errors.ConfigError, match=r"sequence_length = 5 does not divide .* = 12"):
        agent.sequence_length(12)


def test_without_a_core_there_are_no_sequences():
    agent = ActorCritic(SPEC, 0, torsos.mlp)
    assert agent.sequence_length(7) is None
    assert agent.step.state == ()


def test_a_core_that_would_forget_in_training_only():
    def core(seeds):
        return cores.Core(keras.layers.GRUCell(UNITS, recurrent_dropout=0.5), ("h",))

    with pytest.raises(errors.ConfigError, match="network's GRUCell: it would have no effect"):
        ActorCritic(SPEC, 0, functools.partial(torsos.mlp, units=(4,)), core=core)


class Forgetful(cores.Core):
    """Returns less than it says that it remembers."""

    @property
    def state(self):
        return {**super().state, "more": specs.ArraySpec((2,), "float32")}


def test_a_core_that_does_not_return_what_it_remembers():
    def core(seeds):
        return Forgetful(keras.layers.GRUCell(UNITS), ("h",))

    says = r"the network's state/more, for two observations, must be \(2, 2\) and is absent"
    with pytest.raises(errors.ConfigError, match=says):
        ActorCritic(SPEC, 0, functools.partial(torsos.mlp, units=(4,)), core=core)
