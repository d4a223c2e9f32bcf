import dataclasses
import functools

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from hts_tf import rollouts, specs, trees
from hts_tf.collecting.policy import FLEXIBLE, Policy
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.normalisation import ObservationNormaliser
from hts_tf.networks.parameters import network

pytestmark = pytest.mark.usefixtures("op_determinism")

T, B = 6, 4
MIXED = {
    "position": specs.ArraySpec((3,), "float64", scale=0.5),
    "clock": specs.ArraySpec((), "float32"),
    "image": specs.ArraySpec((5, 5, 2), "float32"),
    "pixels": specs.ArraySpec((5, 5, 2), "uint8", scale=1 / 255),
    "choice": specs.DiscreteSpec(num_values=4),
    "choices": specs.MultiDiscreteSpec(num_values=(2, 3)),
    "flags": specs.ArraySpec((2,), "bool"),
    "count": specs.ArraySpec((2,), "int32"),
    "pair": (specs.ArraySpec((2,), "float16"), specs.ArraySpec((1,), "uint8")),
}
NORMALISED = {"position", "clock", "pair/0"}


def observations(leading, seed=0):
    random = np.random.default_rng(seed)
    return trees.map(
        lambda leaf: (
            random.normal(0, 50, (*leading, *leaf.shape)).astype(leaf.dtype)
            if leaf.dtype.startswith("float")
            else random.integers(2, size=(*leading, *leaf.shape)).astype(leaf.dtype)
        ),
        MIXED,
    )


def environment(observation):
    return specs.EnvironmentSpec(observation, specs.DiscreteSpec(num_values=3), 10)


def make(observation=MIXED, seed=0, **arguments):
    return ActorCritic(
        environment(observation),
        seed,
        functools.partial(torsos.mlp, units=(8,)),
        normalise_observations=True,
        **arguments,
    )


def take(normaliser, observation):
    normaliser.merge(normaliser.moments(observation))


def test_what_is_normalised_and_what_is_not():
    normaliser = ObservationNormaliser(MIXED)
    take(normaliser, observations((T, B)))
    seen = observations((7,), seed=1)
    shown = normaliser(seen)
    known = {
        name: array.reshape(T * B, *array.shape[2:]).astype(np.float64)
        for name, array in trees.named(observations((T, B)))
    }
    given, specs_of = dict(trees.named(seen)), dict(trees.named(normaliser.normalised))
    for name, array in trees.named(shown):
        array = array.numpy()
        if name in NORMALISED:
            of = known[name]
            expected = (given[name] - of.mean(axis=0)) / np.sqrt(of.var(axis=0) + 1e-8)
            np.testing.assert_allclose(array, expected, rtol=1e-6)
            assert specs_of[name] == specs.ArraySpec(array.shape[1:], "float32")
        else:
            assert array.tobytes() == given[name].tobytes()
            assert specs_of[name] == dict(trees.named(MIXED))[name]
    assert len(normaliser.variables) == 3 * len(NORMALISED)
    assert normaliser.trainable_variables == []


def test_what_is_far_out_is_clipped():
    normaliser = ObservationNormaliser(specs.ArraySpec((1,), "float32"), limit=2.0)
    take(normaliser, np.array([[[-1.0], [1.0]]], np.float32))
    shown = normaliser(np.array([[-3.0], [1.5], [1e30]], np.float32))
    np.testing.assert_allclose(shown, [[-2.0], [1.5], [2.0]], rtol=1e-6)


def test_the_limit_can_be_bound(clean_gin):
    gin.bind_parameter("ObservationNormaliser.limit", 0.25)
    assert ObservationNormaliser(MIXED)(observations((9,)))["clock"].numpy().max() == 0.25


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_small_differences_of_large_numbers_reach_the_torso(precision):
    """Whatever TensorFlow computes in: in bfloat16, all of these are the same number."""
    spec = specs.ArraySpec((2,), "float64")
    far, near = 1e6 + np.array([[-1.0, 1.0], [1.0, -1.0]]), np.array([[-1.0, 1.0], [1.0, -1.0]])
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        agents = [make(spec), make(spec)]
        for agent, rows in zip(agents, (far, near), strict=True):
            agent.observe(agent.statistics(rollouts.Rollout(observation=np.stack([rows, rows]))))
        (policy, value), expected = agents[0](far), agents[1](near)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    np.testing.assert_allclose(policy["logits"], expected[0]["logits"], rtol=1e-5)
    np.testing.assert_allclose(value, expected[1], rtol=1e-5)
    assert abs(value[0] - value[1]) > 0.1


def test_every_observation_is_counted_once():
    """The last row of a rollout is the first one of the next."""
    all_rows = observations((3 * T + 1, B))
    agent, whole = make(), ObservationNormaliser(MIXED)
    for start in (0, T, 2 * T):
        rows = trees.map(lambda x, start=start: x[start : start + T + 1], all_rows)
        agent.observe(agent.statistics(rollouts.Rollout(observation=rows)))
    take(whole, trees.map(lambda x: x[:-1], all_rows))
    for actual, expected in zip(agent.non_trainable_variables, whole.variables, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-9)
    assert float(agent.non_trainable_variables[2]) == 3 * T * B


def test_the_order_of_columns_does_not_matter():
    rows = observations((T, B))
    normalisers = ObservationNormaliser(MIXED), ObservationNormaliser(MIXED)
    take(normalisers[0], rows)
    take(normalisers[1], trees.map(lambda x: x[:, [2, 0, 3, 1]], rows))
    for a, b in zip(*(normaliser.variables for normaliser in normalisers), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_a_mask_of_actions_is_none_of_its_business():
    spec = {
        "light": specs.ArraySpec((3,), "float32"),
        specs.ACTION_MASK: specs.ArraySpec((3,), "bool"),
    }
    agent = make(spec)
    rows = {"light": np.ones((T + 1, B, 3), "f"), specs.ACTION_MASK: np.ones((T + 1, B, 3), bool)}
    agent.observe(agent.statistics(rollouts.Rollout(observation=rows)))
    assert np.array_equal(agent.non_trainable_variables[0], [1, 1, 1])


def test_actors_can_still_batch_as_they_like():
    agent = make()
    agent.observe(agent.statistics(rollouts.Rollout(observation=observations((T, B)))))
    assert Policy(agent, 12).batching in FLEXIBLE


def test_copies_have_the_statistics_too():
    agent, other = make(), make(seed=1)
    agent.observe(agent.statistics(rollouts.Rollout(observation=observations((T, B)))))
    before = other.parameters_hash()
    other.copy_from(agent)
    assert other.parameters_hash() == agent.parameters_hash() != before
    assert float(other.non_trainable_variables[2]) == (T - 1) * B


def test_the_statistics_are_seen_by_the_hash():
    agent = make()
    before = agent.parameters_hash()
    agent.observe(agent.statistics(rollouts.Rollout(observation=observations((T, B)))))
    assert agent.parameters_hash() != before


def test_gradients_know_nothing_of_the_statistics():
    with_them, without = (
        make(),
        ActorCritic(environment(MIXED), 0, functools.partial(torsos.mlp, units=(8,))),
    )
    shapes = [v.shape for v in without.trainable_variables]
    assert [v.shape for v in with_them.trainable_variables] == shapes
    with tf.GradientTape() as tape:
        _, value = with_them(observations((5,)))
        loss = tf.reduce_sum(value)
    gradients = tape.gradient(loss, with_them.trainable_variables)
    assert [g is None for g in gradients].count(True) == 2  # the policy's head


def test_torsos_are_told_what_they_see():
    given = []

    def torso(spec, seeds):
        given.append(spec)
        return torsos.mlp(spec, seeds, units=(8,))

    spec = dataclasses.replace(environment(MIXED), observation=MIXED["position"])
    ActorCritic(spec, 0, torso, value_torso=torso, normalise_observations=True)
    assert given == [specs.ArraySpec((3,), "float32")] * 2


def test_the_limit_is_part_of_the_network(clean_gin):
    """Else a policy would be taken for one that is another function."""
    spec = specs.EnvironmentSpec(
        specs.ArraySpec((3,), "float32"), specs.DiscreteSpec(num_values=2), max_episode_steps=5
    )
    found = {}
    for limit in (10.0, 5.0):
        gin.clear_config()
        gin.bind_parameter("ObservationNormaliser.limit", limit)
        found[limit] = str(network(ActorCritic(spec, 0, torsos.mlp, normalise_observations=True)))
    assert "limit 5" in found[5.0]
    assert "limit" not in found[10.0]  # as in files from before it was one
