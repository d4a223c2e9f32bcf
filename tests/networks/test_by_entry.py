import functools
import math

import numpy as np
import pytest

from hts_tf import config, errors, operative, settings, specs, trees  # noqa: F401  configurables
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.by_entry import by_entry
from hts_tf.networks.initialisation import Seeds

pytestmark = pytest.mark.usefixtures("op_determinism")

SMALL = functools.partial(torsos.small_cnn, filters=2, dense=5)
TINY = functools.partial(torsos.mlp, units=(3,))
NESTED = {
    "front": specs.ArraySpec((36, 40, 1), "uint8", scale=1 / 255),
    "sides": (
        specs.ArraySpec((4, 6, 6), "uint8", scale=1 / 255),
        {"depth": specs.ArraySpec((6, 6, 1), "float32")},
    ),
    "position": specs.ArraySpec((3,), "float64"),
    "facts": {"goal": specs.DiscreteSpec(num_values=4), "flag": specs.ArraySpec((), "bool")},
}


def example(spec, seed=0):
    random = np.random.default_rng(seed)
    return trees.map(lambda s: random.integers(2, size=(7, *s.shape)).astype(s.dtype), spec)


def through(layers, x):
    for layer in layers:
        x = layer(x)
    return x.numpy()


def test_each_entry_goes_through_its_own_torso_in_order_of_names():
    spec = {"b": specs.ArraySpec((2,), "float32"), "a": specs.ArraySpec((6, 6, 1), "uint8")}
    observation = example(spec)
    made = through(by_entry(spec, Seeds(0), {"a": SMALL, "b": TINY}), observation)
    seeds = Seeds(0)
    parts = [
        through(SMALL(spec["a"], seeds), observation["a"]),
        through(TINY(spec["b"], seeds), observation["b"]),
    ]
    np.testing.assert_array_equal(made, np.concatenate(parts, axis=-1))


def test_tuples_are_named_by_their_places():
    spec = tuple(specs.ArraySpec((2,), "float32") for _ in range(11))
    observation = example(spec)
    layers = by_entry(spec, Seeds(0), {str(i): TINY for i in range(11)})
    seeds = Seeds(0)
    parts = [through(TINY(s, seeds), x) for s, x in zip(spec, observation, strict=True)]
    np.testing.assert_array_equal(through(layers, observation), np.concatenate(parts, axis=-1))


def test_what_is_not_named_gets_what_suits_it():
    agent = ActorCritic(
        specs.EnvironmentSpec(NESTED, specs.DiscreteSpec(num_values=3), 10),
        0,
        functools.partial(by_entry, torsos={"position": TINY}),
    )
    shapes = [tuple(v.shape) for v in agent.trainable_variables if len(v.shape) > 1]
    assert sorted(shapes) == sorted(
        [
            (5, 64),  # facts: of four values and a flag
            (64, 64),
            (8, 8, 1, 32),  # front
            (4, 4, 32, 64),
            (3, 3, 64, 64),
            (1 * 1 * 64, 512),
            (3, 3),  # position
            (3, 3, 4, 16),  # sides: frames are channels
            (4 * 4 * 16, 128),
            (3, 3, 1, 16),
            (4 * 4 * 16, 128),
            (64 + 512 + 3 + 128 + 128, 3),
            (64 + 512 + 3 + 128 + 128, 1),
        ]
    ), shapes
    policy, value = agent(example(NESTED))
    assert policy["logits"].shape == (7, 3)
    assert value.shape == (7,)


@functools.cache
def of_nested():
    return by_entry(NESTED, Seeds(0))


@pytest.mark.parametrize("name", [name for name, _ in trees.named(NESTED)])
def test_every_array_matters(name):
    layers = of_nested()
    observation = example(NESTED)
    before = through(layers, observation)
    dict(trees.named(observation))[name][...] = 1 - dict(trees.named(observation))[name]
    changed = (through(layers, observation) != before).any(axis=-1)
    assert changed.sum() >= 6  # a ReLU may hide one


def test_the_order_of_a_dict_does_not_matter():
    backwards = dict(reversed(NESTED.items()))
    observation = example(NESTED)
    layers, others = by_entry(NESTED, Seeds(0)), by_entry(backwards, Seeds(0))
    expected = through(layers, observation)
    np.testing.assert_array_equal(through(others, dict(reversed(observation.items()))), expected)


def test_names_are_of_the_top_only(clean_gin):
    """An entry that is a dict with an image in it has entries of its own, of whatever names."""
    config.load("synthetic", "hts_ppo", gin_bindings=["by_entry.torsos = {'position': @mlp}"])
    layers = by_entry(NESTED, Seeds(0))
    through(layers, example(NESTED))
    assert sum(math.prod(v.shape) for v in layers[0].variables if v.shape == (3, 64)) == 3 * 64


def test_a_run_remembers_what_was_bound(clean_gin):
    binding = "by_entry.torsos = {'position': @mlp, 'front': @nature_cnn}"
    config.load("synthetic", "hts_ppo", gin_bindings=[binding, "ActorCritic.torso = @by_entry"])
    environment = specs.EnvironmentSpec(NESTED, specs.DiscreteSpec(num_values=3), 10)
    before = ActorCritic(environment, 0).parameters_hash()
    text = operative.text(seed=1)
    assert operative.bindings(text)["by_entry.torsos"] == {
        "position": operative.Reference("@mlp"),
        "front": operative.Reference("@nature_cnn"),
    }
    config.load_text(text, "config.gin")
    assert ActorCritic(environment, 0).parameters_hash() == before
    assert operative.text(seed=1) == text


@pytest.mark.parametrize(
    ("spec", "named", "message"),
    [
        (NESTED, {"imag": TINY}, "by_entry.torsos names 'imag', but the observation has facts, fr"),
        ((NESTED, NESTED), {"2": TINY}, "names '2', but the observation has 0, 1"),
        (NESTED["front"], {}, r"@by_entry is for a dict or tuple, not for an array \(36, 40, 1\)"),
        (NESTED, {"position": torsos.nature_cnn}, r"@nature_cnn is for an image, not .* \(3,\)"),
    ],
)
def test_what_it_refuses(spec, named, message):
    with pytest.raises(errors.ConfigError, match=message):
        by_entry(spec, Seeds(0), named)
