import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import errors, rollouts, seeding, specs, trees
from hts_tf.collecting import policy as policy_module
from hts_tf.collecting.policy import FLEXIBLE, Batching, Policy, example_observations
from hts_tf.environments.football import super_mini_map
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.initialisation import Seeds

pytestmark = pytest.mark.usefixtures("op_determinism")

MAX_BATCH = 20
THREE = specs.DiscreteSpec(num_values=3)
VECTOR = specs.EnvironmentSpec(
    observation=specs.ArraySpec((5,), "float32"), action=THREE, max_episode_steps=10
)
TREE = specs.EnvironmentSpec(
    observation={
        "map": specs.ArraySpec((2, 3), "uint8", scale=1 / 255),
        "flags": specs.ArraySpec((4,), "bool"),
        "clock": specs.ArraySpec((), "float32"),
    },
    action=THREE,
    max_episode_steps=10,
)
FOOTBALL = specs.EnvironmentSpec(
    observation=super_mini_map.spec(4),
    action=specs.DiscreteSpec(num_values=19),
    max_episode_steps=400,
)


def draw_noise(seed, shape):
    return seeding.generator(seed, "noise", 0).gumbel(size=shape).astype(np.float32)


def observations_and_noise(spec, count=MAX_BATCH, seed=1):
    random = np.random.default_rng(seed)
    observation = trees.map(lambda s: example_observations(s, count, random), spec.observation)
    noise = draw_noise(seed, (count, spec.action.num_values))
    return observation, noise


def rows_of(tree, rows):
    return trees.map(lambda array: array[rows], tree)


@pytest.fixture(scope="module")
def network():
    network = ActorCritic(VECTOR, 0, functools.partial(torsos.mlp, units=(8,)))
    for variable in network.variables:  # away from the nearly uniform policy of the start
        variable.assign_add(tf.random.stateless_normal(variable.shape, (1, 2)))
    return network


@pytest.fixture(scope="module")
def football():
    return Policy(ActorCritic(FOOTBALL, 0, torsos.nature_cnn), MAX_BATCH)


@pytest.fixture(scope="module")
def of_trees():
    return Policy(ActorCritic(TREE, 0, functools.partial(torsos.mlp, units=(8,))), MAX_BATCH)


def assert_answers_do_not_depend_on_the_batch(policy, spec):
    questions = observations_and_noise(spec)
    expected = [policy.act(*rows_of(questions, [i])) for i in range(MAX_BATCH)]

    @settings(max_examples=25)
    @given(st.lists(st.integers(0, MAX_BATCH - 1), min_size=1, max_size=MAX_BATCH))
    def check(rows):
        answer = policy.act(*rows_of(questions, rows))
        for position, row in enumerate(rows):
            for actual, alone in zip(leaves(answer), leaves(expected[row]), strict=True):
                assert actual[position].tobytes() == alone[0].tobytes()

    check()


def leaves(answer):
    action, policy, value, state = answer
    assert state == ()
    return [action, policy["logits"], value]


def test_football_answers_do_not_depend_on_the_batch(football):
    assert football.batching in FLEXIBLE
    assert_answers_do_not_depend_on_the_batch(football, FOOTBALL)


def test_answers_to_dicts_do_not_depend_on_the_batch(of_trees):
    assert_answers_do_not_depend_on_the_batch(of_trees, TREE)


def test_different_observations_have_different_answers(football):
    observation, noise = observations_and_noise(FOOTBALL)
    _, policy, value, _ = football.act(observation, noise)
    assert len(np.unique(policy["logits"], axis=0)) == len(np.unique(value)) == MAX_BATCH


@pytest.mark.parametrize("name", TREE.observation)
def test_every_array_of_a_dict_matters(of_trees, name):
    observation, noise = observations_and_noise(TREE)
    same = {key: np.repeat(array[:1], MAX_BATCH, axis=0) for key, array in observation.items()}
    assert len(np.unique(of_trees.act(same, noise).value)) == 1
    answer = of_trees.act({**same, name: observation[name]}, noise)
    assert len(np.unique(answer.value)) > MAX_BATCH // 2  # flags may be the same by chance


def test_shapes_and_types(network):
    answer = Policy(network, 4).act(*observations_and_noise(VECTOR, 3))
    action, logits, value = leaves(answer)
    assert (action.shape, action.dtype) == ((3,), np.uint8)
    assert (logits.shape, logits.dtype) == ((3, 3), np.float32)
    assert (value.shape, value.dtype) == ((3,), np.float32)
    assert answer.policy.keys() == {"logits"}


@pytest.mark.parametrize("batching", list(Batching))
@pytest.mark.parametrize("size", [1, 2, 5, MAX_BATCH])
def test_every_batching_gives_the_right_answers(network, batching, size):
    policy = Policy(network, MAX_BATCH, batching)
    observation, noise = observations_and_noise(VECTOR, size)
    action, logits, value = leaves(policy.act(observation, noise))
    expected_policy, expected_value = network(observation)
    np.testing.assert_allclose(logits, expected_policy["logits"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(value, expected_value, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(action, np.argmax(logits + noise, axis=-1))


def test_without_noise_the_most_probable_action_is_chosen(network):
    observation, _ = observations_and_noise(VECTOR)
    noise = np.zeros((MAX_BATCH, 3), np.float32)
    action, logits, _ = leaves(Policy(network, MAX_BATCH).act(observation, noise))
    np.testing.assert_array_equal(action, np.argmax(logits, axis=-1))
    assert len(set(action.tolist())) > 1


def test_noise_can_make_any_action_win(network):
    observation, _ = observations_and_noise(VECTOR, 3)
    action, *_ = Policy(network, 3).act(observation, 100 * np.eye(3, dtype=np.float32))
    assert action.tolist() == [0, 1, 2]


def test_actions_are_samples_of_the_softmax(network):
    count = 4000
    observation = np.repeat(observations_and_noise(VECTOR, 1)[0], count, axis=0)
    noise = draw_noise(0, (count, 3))
    policy = Policy(network, MAX_BATCH)  # the self-check need not know of our batch
    action, logits, _ = leaves(policy.act(observation, noise))
    probability = np.exp(logits[0]) / np.exp(logits[0]).sum()
    frequency = np.bincount(action, minlength=3) / count
    assert (np.abs(frequency - probability) < 4 * np.sqrt(0.25 / count)).all()


def test_uses_the_parameters_of_now(network):
    own = ActorCritic(VECTOR, 1, functools.partial(torsos.mlp, units=(8,)))
    policy = Policy(own, 4)
    observation, noise = observations_and_noise(VECTOR, 4)
    _, before, _ = leaves(policy.act(observation, noise))
    own.copy_from(network)
    _, after, _ = leaves(policy.act(observation, noise))
    assert not np.array_equal(before, after)
    expected, _ = network(observation)
    np.testing.assert_allclose(after, expected["logits"], rtol=1e-5, atol=1e-6)


def test_draws_the_noise_of_its_agent(network):
    noise = Policy(network, 2).draw_noise(seeding.generator(4, "noise", 0), (2, 5))
    np.testing.assert_array_equal(noise, draw_noise(4, (2, 5, 3)))


class Formula:
    """An agent whose logits and values are a function of the observations."""

    def __init__(self, function, observation=VECTOR.observation):
        self._function = function
        self._head = Categorical(THREE, Seeds(0))
        spec = dataclasses.replace(VECTOR, observation=observation)
        self.step = rollouts.step_spec(spec, self._head.parameters)
        self.noise = self._head.noise
        self.draw_noise = self._head.draw_noise

    def act(self, observation, state, noise):
        logits, value = self._function(observation)
        policy = {"logits": logits}
        return rollouts.Answer(self._head.act(policy, noise), policy, value, state)


@pytest.mark.parametrize("max_batch", [1, 2, MAX_BATCH])
def test_a_network_of_single_rows_is_batched_freely(max_batch):
    policy = Policy(Formula(lambda x: (x[:, :3], x[:, 3])), max_batch)
    assert policy.batching is Batching.ANY_SIZE


def minus_batch_mean(observation):
    logits = observation[:, :3]
    return logits - tf.reduce_mean(logits, axis=0), observation[:, 3]


def plus_batch_size(observation):
    return observation[:, :3], observation[:, 3] + tf.cast(tf.shape(observation)[0], tf.float32)


def plus_whether_the_batch_is_odd(observation):
    odd = tf.cast(tf.shape(observation)[0] % 2, tf.float32)
    return observation[:, :3], observation[:, 3] + odd


def plus_place_in_batch(observation):
    rows = tf.cast(tf.range(tf.shape(observation)[0]), tf.float32)
    return observation[:, :3], observation[:, 3] + rows


@pytest.mark.parametrize(
    ("function", "batching"),
    [
        (minus_batch_mean, Batching.ALONE),
        (plus_place_in_batch, Batching.ALONE),
        (plus_whether_the_batch_is_odd, Batching.MULTIPLES),
        (plus_batch_size, Batching.FIXED_SIZE),
    ],
)
def test_a_network_that_minds_its_batch_is_found_out(function, batching):
    policy = Policy(Formula(function), MAX_BATCH)
    assert policy.batching is batching
    observation, noise = observations_and_noise(VECTOR)
    expected = policy.act(observation, noise)
    for rows in ([3], [5, 2], [11, 0, 3, 3]):
        answer = policy.act(observation[rows], noise[rows])
        for actual, of_all in zip(leaves(answer), leaves(expected), strict=True):
            assert actual.tobytes() == of_all[rows].tobytes()


@pytest.mark.parametrize(
    "spec",
    [
        specs.ArraySpec((5,), "float32"),
        specs.ArraySpec((2, 3), "uint8"),
        specs.ArraySpec((3, 8), "bool"),
        FOOTBALL.observation,
    ],
)
def test_example_observations_fit_their_spec(spec):
    examples = example_observations(spec, 6, np.random.default_rng(0))
    assert examples.shape == (6, *spec.shape)
    assert examples.dtype == spec.dtype
    assert len(np.unique(examples, axis=0)) == 6


@pytest.mark.parametrize(
    "spec",
    [
        specs.DiscreteSpec(num_values=3, dtype="int64"),
        specs.DiscreteSpec((2, 2), num_values=500),
        specs.MultiDiscreteSpec(num_values=(2, 300)),
    ],
)
def test_example_choices_are_choices(spec):
    examples = example_observations(spec, 100, np.random.default_rng(0))
    assert (examples.shape, examples.dtype) == ((100, *spec.shape), spec.dtype)
    spec.check(examples)
    assert len(np.unique(examples, axis=0)) > 1


def test_what_depends_on_the_batch_only_for_some_choice_is_found_out():
    def of_last_value(choice):
        """Others are zeros in any company."""
        last = tf.cast(choice == 2, tf.float32)
        place = tf.cast(tf.range(tf.size(choice)), tf.float32)
        return tf.zeros((tf.size(choice), 3)), last * place

    choice = specs.DiscreteSpec(num_values=3, dtype="int64")
    assert Policy(Formula(of_last_value, choice), MAX_BATCH).batching is Batching.ALONE


def test_of_large_observations_few_are_made_up(monkeypatch):
    made = []

    def example(spec, count, random):
        made.append(count * spec.nbytes)
        return np.zeros((count, *spec.shape), spec.dtype)

    monkeypatch.setattr(policy_module, "example_observations", example)
    image = specs.ArraySpec((1 << 22,), "float32")  # 16 MiB
    Policy(Formula(lambda x: (x[:, :3], x[:, 3]), image), 2)
    assert 0 < max(made) <= 1 << 28


def test_example_pixels_lie_on_the_map_or_are_absent():
    spec = FOOTBALL.observation
    examples = example_observations(spec, 50, np.random.default_rng(0))
    present = examples[examples != spec.NO_PIXEL]
    assert present.max() < spec.height * spec.width
    assert 0 < len(present) < examples.size


def test_a_network_that_cannot_take_all_that_its_spec_permits():
    """Which asks for bytes; this one has seen, perhaps, that there are fewer."""

    def torso(spec, seeds):
        return [keras.layers.Embedding(11, 8), keras.layers.Flatten()]

    seen = dataclasses.replace(VECTOR, observation=specs.ArraySpec((4,), "uint8"))
    with pytest.raises(errors.ConfigError, match=r"fewer rows: clip it before, .*not in \[0, 11"):
        Policy(ActorCritic(seen, 0, torso), MAX_BATCH)
