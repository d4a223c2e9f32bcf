"""Results depend on the number of shards, and not on who computes how many of them when."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import rollouts, seeding, specs, team, trees
from hts_tf.algorithms import shards as shards_module
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.impala import IMPALA
from hts_tf.algorithms.ppo import PPO
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.algorithms.shards import Shards
from hts_tf.learner import Learner
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from tests import command_line
from tests.agents import shake
from tests.algorithms import reference
from tests.teams import Threads

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_SHARDS, T, B = 4, 5, 16  # so that the arrays of one machine end in half a vector
ALGORITHMS = {
    "PPO": PPO(num_minibatches=2),
    "PPO, not decoupled": PPO(num_minibatches=4, epochs=3, decoupled=False),
    "A2C": A2C(),
    "IMPALA": IMPALA(),
}
SPECS = {
    "choices": reference.SPEC,
    "numbers": dataclasses.replace(
        reference.SPEC, action=specs.BoxSpec((2,), "float32", low=(-1.0, -1.0), high=(1.0, 1.0))
    ),
}
# (algorithm, actions, whether players have left, shards, machines): weights of shards that are
# powers of two, and others, which round.
ON_MACHINES = [
    ("PPO", "choices", False, 4, 2),
    ("PPO", "choices", True, 4, 3),
    ("IMPALA", "choices", True, 4, 3),
    ("A2C", "numbers", False, 3, 3),
    ("A2C", "numbers", True, 4, 2),
]


def make_agent(core=None, actions="choices"):
    torso = functools.partial(torsos.mlp, units=(16,))
    agent = ActorCritic(SPECS[actions], 1, torso, core=core, normalise_observations=True)
    shake(agent.trainable_variables, np.random.default_rng(1))
    return agent


def make_rollout(agent, counts=False):
    """[T, B, 1, ...], with endings, and perhaps with players who have left."""
    random = np.random.default_rng(0)
    step = agent.step
    terminated, truncated = random.random((2, T, B)) < 0.15
    rollout = rollouts.Rollout(
        observation=random.normal(1.0, 2.0, (T + 1, B, 3)).astype(np.float32),
        action=random.integers(3, size=(T, B)).astype(np.uint8),
        policy={"logits": random.normal(size=(T, B, 3)).astype(np.float32)},
        value=random.normal(size=(T + 1, B)).astype(np.float32),
        reward=random.normal(0, 5.0, (T, B)).astype(np.float32),
        score=np.zeros((T, B), np.float32),
        terminated=terminated,
        truncated=truncated & ~terminated,
        truncation_value=random.normal(size=(T, B)).astype(np.float32),
        counts=random.random((T, B)) < 0.7 if counts else (),
    )
    if "mean" in step.policy:
        mean, action = random.normal(size=(2, T, B, 2)).astype(np.float32)
        policy = {"mean": mean, "std": np.exp(0.3 * mean)}
        rollout = rollout._replace(action=action, policy=policy)
    if step.state:
        state = trees.map(
            lambda leaf: random.normal(size=(T + 1, B, *leaf.shape)).astype(leaf.dtype), step.state
        )
        rollout = rollout._replace(state=state)
    return trees.map(lambda x: x[:, :, None], rollout)


def learn(name, shards, columns=slice(None), core=None, counts=False, actions="choices"):
    """Returns the parameters and logs after one and two updates on some columns of the rollout."""
    agent = make_agent(core, actions)
    rollout = trees.map(lambda x: x[:, columns], make_rollout(agent, counts))
    learner = Learner(
        agent,
        ALGORITHMS[name],
        rollout,
        num_updates=10,
        seed=3,
        reward_scaling=ReturnScaling,
        shards=shards,
    )
    variables = [*agent.variables, *learner.state_variables]
    results = []
    for _ in range(2):
        logs = learner.step(rollout)
        results.append(([variable.numpy() for variable in variables], logs))
    return results


# Several tests look at the same ones, each of which takes seconds to compile.
@functools.cache
def learnt_alone(name, num_shards, counts):
    return learn(name, Shards(num_shards), counts=counts)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one[0], other[0], strict=True):
            np.testing.assert_array_equal(a, b)
        assert one[1] == other[1]


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_does_not_matter_how_many_at_once(name, counts):
    expected = learnt_alone(name, NUM_SHARDS, counts)
    assert_same(learn(name, Shards(NUM_SHARDS, at_once=2), counts=counts), expected)
    if name in ("A2C", "IMPALA"):  # whose other ones are made below anyway
        whole, sharded = (learnt_alone(name, n, counts)[-1][0] for n in (1, NUM_SHARDS))
        assert any((a != b).any() for a, b in zip(whole, sharded, strict=True))


def compare_machines():
    """Prints, for each case, whether machines come to what one alone does."""
    tf.config.experimental.enable_op_determinism()
    for case in ON_MACHINES:
        name, actions, counts, num_shards, num_machines = case
        num_columns = B // num_shards * num_shards
        learnt = functools.partial(learn, name, counts=counts, actions=actions)
        expected = learnt(Shards(num_shards), slice(num_columns))

        def body(member, num_shards=num_shards, num_columns=num_columns, learnt=learnt):
            part = team.share(member, num_shards, num_columns)
            shards = Shards(num_shards, part.shards, gather=member.all_gather_array)
            return learnt(shards, slice(part.envs.start, part.envs.stop))

        for found in Threads(num_machines).run(body):
            assert_same(found, expected)
        print(f"{case}: same", flush=True)


@pytest.fixture(scope="module")
def said_of_machines():
    # A process of its own: threads that stand for machines wait in TensorFlow's pool of threads,
    # in which there must be enough of them for all who may wait.
    program = "from tests.algorithms import test_shards; test_shards.compare_machines()"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_NUM_INTEROP_THREADS", "32")
        _, output, errors = command_line.run("tests.program", program)
    return output, errors


@pytest.mark.slow
@pytest.mark.parametrize("case", ON_MACHINES, ids=str)
def test_it_does_not_matter_on_how_many_machines(said_of_machines, case):
    output, errors = said_of_machines
    assert f"{case}: same\n" in output, errors


def test_agents_that_remember():
    core = functools.partial(cores.gru, units=4)
    expected = learn("PPO", Shards(2), core=core)
    assert_same(learn("PPO", Shards(2, at_once=2), core=core), expected)


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("name", ["A2C", "IMPALA"])
def test_together_they_are_the_whole_batch(name, counts):
    """Where the batch is not divided into minibatches, shards only round otherwise."""
    (found, said), (expected, expected_said) = (
        learnt_alone(name, num_shards, counts)[0] for num_shards in (NUM_SHARDS, 1)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5)
    known = {key: value for key, value in expected_said.items() if key != "explained_variance"}
    assert {key: said[key] for key in known} == pytest.approx(known, rel=1e-3, abs=1e-5)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(-5, 5, width=32), st.integers(0, 5)), min_size=2, max_size=5
    ).filter(lambda parts: any(count for _, count in parts))
)
def test_means_are_weighted_by_what_counts(parts):
    values, counts = zip(*parts, strict=True)
    results = [{"x": tf.constant(value)} for value in values]
    found = shards_module.mean(results, [tf.constant(float(count)) for count in counts])
    assert float(found["x"]) == pytest.approx(np.average(values, weights=counts), abs=1e-5)
    found = shards_module.mean(results, [()] * len(results))
    assert float(found["x"]) == pytest.approx(np.mean(values), abs=1e-5)


def test_minibatches_have_as_many_steps_of_each_shard():
    class Idle(PPO):
        def update(self, agent, optimizer, rollout, permutations, progress, shards):
            return {}

    agent = make_agent()
    rollout = make_rollout(agent)
    learner = Learner(agent, Idle(epochs=2), rollout, 1, 0, shards=Shards(NUM_SHARDS))
    before = learner._permutations()
    learner.step(rollout)
    assert not np.array_equal(before, learner._permutations())
    permutations = learner._permutations()
    assert permutations.shape == (2, T * B)
    for order in permutations:
        assert sorted(order) == list(range(T * B))
        for shard, rows in enumerate(np.split(order, NUM_SHARDS)):
            assert {row % B * NUM_SHARDS // B for row in rows.tolist()} == {shard}
    assert not np.array_equal(permutations[0], permutations[1])


def test_the_first_shard_is_the_whole_batch_where_there_is_one():
    """What a run without shards has always done."""
    agent = make_agent()
    rollout = make_rollout(agent)
    orders = [
        Learner(agent, PPO(), rollout, 1, 0, shards=shards)._permutations()
        for shards in (Shards(), Shards(1, range(1)))
    ]
    np.testing.assert_array_equal(*orders)
    np.testing.assert_array_equal(orders[0], seeding.permutations(0, 0, PPO().epochs, T * B))
    of_another_seed = Learner(agent, PPO(), rollout, 1, 1)._permutations()
    assert not np.array_equal(orders[0], of_another_seed)


def test_columns_of_all_machines():
    x = np.arange(24.0).reshape(3, 8)

    def body(member):
        part = team.share(member, NUM_SHARDS, 8)
        shards = Shards(NUM_SHARDS, part.shards, gather=member.all_gather_array)
        here = tf.constant(x[:, part.envs.start : part.envs.stop])
        (gathered,) = shards.all_gather_columns(here)
        np.testing.assert_array_equal(gathered, x)
        np.testing.assert_array_equal(shards.own(gathered), here)
        return True

    Threads(3).run(body)


def test_shares_are_of_all_shards_once():
    for size in range(1, 6):
        parts = [team.share(member, 5, 15) for member in map(Threads(size).member, range(size))]
        assert [s for part in parts for s in part.shards] == list(range(5))
        assert [e for part in parts for e in part.envs] == list(range(15))
        sizes = [len(part.shards) for part in parts]
        assert max(sizes) - min(sizes) <= 1
