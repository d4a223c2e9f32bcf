"""What holds for the heads of all kinds of action."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, specs
from hts_tf.collecting.policy import FLEXIBLE, Policy, example_observations
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.bernoulli import Bernoulli
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.choice import head_for
from hts_tf.networks.gaussian import Gaussian
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.multi_categorical import MultiCategorical
from tests.agents import shake
from tests.networks import action_kinds
from tests.networks.action_kinds import KINDS, MASKED

pytestmark = pytest.mark.usefixtures("op_determinism")

HEADS = (Categorical, MultiCategorical, Bernoulli, Gaussian)
LIGHT = specs.ArraySpec((5,), "float32")
SMALL_MLP = functools.partial(torsos.mlp, units=(8,))
LEADING = [(), (6,), (2, 5)]

kinds = pytest.mark.parametrize("action", KINDS.values(), ids=KINDS)


def make(action):
    return head_for(action)(action, Seeds(0))


def make_agent(action, observation=LIGHT):
    agent = ActorCritic(specs.EnvironmentSpec(observation, action, 10), 0, SMALL_MLP)
    shake(agent.variables, np.random.default_rng(0), scale=0.5)
    return agent


@pytest.mark.parametrize("leading", LEADING, ids=str)
@pytest.mark.parametrize("question", ["log_prob", "entropy", "kl_divergence"])
@kinds
def test_distributions_against_tensorflow_probability(action, question, leading):
    """Their gradients, too."""
    head = make(action)
    ours, others = (action_kinds.parameters(head, leading, seed) for seed in (0, 1))
    taken = action_kinds.actions(action, leading)

    def ask(distribution):
        with tf.GradientTape() as tape:
            tape.watch([ours, others])
            arguments = {
                "log_prob": lambda: [taken],
                "entropy": lambda: [],
                "kl_divergence": lambda: [distribution(others)],
            }[question]()
            answer = getattr(distribution(ours), question)(*arguments)
        gradient = tape.gradient(answer, [ours, others], unconnected_gradients="zero")
        return answer, tf.nest.flatten(gradient)

    actual, gradient = ask(head.distribution)
    expected, expected_gradient = ask(functools.partial(action_kinds.expected, action))
    assert actual.shape == leading
    assert actual.dtype == tf.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(gradient, expected_gradient, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-5)


@kinds
def test_shapes_and_types_are_those_of_the_specs(action):
    head = make(action)
    policy = head(np.ones((4, 7), np.float32), None)
    noise = head.draw_noise(np.random.default_rng(0), (4,))
    assert {name: (p.shape[1:], p.dtype) for name, p in policy.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in head.parameters.items()
    }
    assert (noise.shape, noise.dtype) == ((4, *head.noise.shape), head.noise.dtype)
    chosen = head.act(policy, noise)
    assert (chosen.shape, chosen.dtype) == ((4, *action.shape), action.dtype)
    action.check(chosen.numpy())


@kinds
def test_noise_is_a_function_of_its_generator(action):
    head = make(action)
    first, same, other = (head.draw_noise(np.random.default_rng(s), (3, 2)) for s in (0, 0, 1))
    assert first.tobytes() == same.tobytes()
    assert not np.array_equal(first, other)
    assert np.isfinite(first).all()


@kinds
def test_zeros_for_noise_choose_what_no_other_action_is_more_probable_than(action):
    head = make(action)
    policy = action_kinds.parameters(head, (50,))
    likeliest = head.act(policy, np.zeros((50, *head.noise.shape), np.float32))
    if isinstance(head, Gaussian):  # before any bounds
        np.testing.assert_array_equal(likeliest, policy["mean"])
        return
    distribution = head.distribution(policy)
    best = distribution.log_prob(likeliest)
    assert len(np.unique(likeliest, axis=0)) > 1
    for seed in range(20):
        other = tf.constant(action_kinds.actions(action, (50,), seed))
        assert (distribution.log_prob(other) <= best + 1e-5).numpy().all()


@kinds
def test_answers_do_not_depend_on_the_batch(action):
    agent, max_batch = make_agent(action), 12
    policy = Policy(agent, max_batch)
    assert policy.batching in FLEXIBLE
    random = np.random.default_rng(0)
    observation = example_observations(agent.step.observation, max_batch, random)
    noise = policy.draw_noise(random, (max_batch,))
    expected = tf.nest.flatten(policy.act(observation, noise))
    assert len(np.unique(expected[0], axis=0)) > 1
    for size in (1, 2, 3, 5, 11):
        rows = random.permutation(max_batch)[:size]
        answer = policy.act(observation[rows], noise[rows])
        for actual, of_all in zip(tf.nest.flatten(answer), expected, strict=True):
            assert actual.tobytes() == of_all[rows].tobytes()


@pytest.mark.parametrize("kind", MASKED)
def test_masked_answers_do_not_depend_on_the_batch(kind):
    size = make(KINDS[kind]).action_mask.shape
    observation = {
        "light": LIGHT,
        specs.ACTION_MASK: specs.ArraySpec(size, "bool"),
    }
    assert Policy(make_agent(KINDS[kind], observation), 5).batching in FLEXIBLE


def without_the_last(action):
    """The action without the last value of each choice, and the mask that forbids these."""
    sizes = np.atleast_1d(action.num_values)
    fewer = np.maximum(sizes - 1, 1)
    mask = np.concatenate([np.arange(a) < b for a, b in zip(sizes, fewer, strict=True)])
    if isinstance(action, specs.DiscreteSpec):
        return specs.DiscreteSpec(num_values=fewer[0]), mask
    return specs.MultiDiscreteSpec(num_values=tuple(fewer.tolist()), shape=action.shape), mask


@pytest.mark.parametrize("question", ["log_prob", "entropy", "kl_divergence"])
@pytest.mark.parametrize("kind", MASKED)
def test_what_is_forbidden_might_as_well_not_be_there(kind, question):
    """Gradients, too: none goes through its logits, and all are finite."""
    action, rows = KINDS[kind], 6
    fewer, mask = without_the_last(action)
    head, features = make(action), np.random.default_rng(0).normal(size=(rows, 7))
    head(features, None)
    kernel, bias = head.trainable_variables
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    other = np.random.default_rng(2).normal(size=(rows, len(mask))).astype(np.float32)
    taken = action_kinds.actions(fewer, (rows,))

    def ask(distribution, ours, theirs):
        arguments = {
            "log_prob": lambda: [taken],
            "entropy": lambda: [],
            "kl_divergence": lambda: [distribution({"logits": theirs})],
        }[question]()
        return getattr(distribution({"logits": ours}), question)(*arguments)

    with tf.GradientTape() as tape:
        logits = head(features, {specs.ACTION_MASK: np.stack([mask] * rows)})["logits"]
        answer = ask(head.distribution, logits, np.where(mask, other, np.float32(-1e9)))
    gradients = tape.gradient(answer, [kernel, bias])
    expected = ask(
        functools.partial(action_kinds.expected, fewer),
        tf.boolean_mask(logits, mask, axis=1),
        other[:, mask],
    )
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-5)
    for gradient in gradients:
        gradient = np.abs(gradient)
        assert np.isfinite(gradient).all()
        assert gradient[..., mask].max() > 0
        assert gradient[..., ~mask].max() == 0


@pytest.mark.parametrize("head", HEADS)
@kinds
def test_a_head_is_for_one_kind_of_action(head, action):
    if head_for(action) is head:
        assert head(action, Seeds(0)).action is action
        return
    with pytest.raises(errors.ConfigError, match=rf"^ActorCritic\.head = @{head.__name__} is not"):
        head(action, Seeds(0))


def refusal_of(mask, action):
    observation = {"seen": specs.ArraySpec((2,), "float32"), **mask}
    with pytest.raises(errors.ConfigError) as refused:
        make_agent(action, observation)
    return str(refused.value).partition("\n")[0]  # gin adds where it was called


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        (specs.ArraySpec((4,), "bool"), r"an array (4,) of bool"),
        (specs.ArraySpec((5, 1), "bool"), r"an array (5, 1) of bool"),
        (specs.ArraySpec((5,), "uint8"), r"an array (5,) of uint8"),
        ((specs.ArraySpec((5,), "bool"),), "no single array"),
    ],
)
def test_a_mask_of_another_shape_or_type_is_refused(mask, found):
    message = refusal_of({specs.ACTION_MASK: mask}, KINDS["choice"])
    assert message == (
        "ActorCritic.head = @Categorical needs an observation whose action_mask is "
        f"an array (5,) of bool, not {found} (see docs/design.md#heads)"
    )


def test_a_mask_of_several_choices_is_as_long_as_all_of_them():
    mask = {specs.ACTION_MASK: specs.ArraySpec((3,), "bool")}
    assert "(9,) of bool, not an array (3,)" in refusal_of(mask, KINDS["choices"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MASKED])
def test_a_mask_for_what_cannot_be_masked_is_refused(kind):
    mask = {specs.ACTION_MASK: specs.ArraySpec((3,), "bool")}
    assert "cannot keep to the observation's action_mask" in refusal_of(mask, KINDS[kind])
