import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, learner, rollouts, trees
from hts_tf.algorithms.a2c import A2C
from hts_tf.algorithms.algorithm import Algorithm
from hts_tf.algorithms.ppo import PPO
from hts_tf.algorithms.reward_scaling import ReturnScaling
from hts_tf.collecting import data_storage
from hts_tf.environments import synthetic
from hts_tf.networks import parameters, torsos
from hts_tf.networks.actor_critic import ActorCritic

T, N = 8, 4


@pytest.fixture
def learning(op_determinism):
    """A learner of a small agent, and a rollout for it."""
    spec = synthetic.Synthetic().spec
    agent = ActorCritic(spec, 0, functools.partial(torsos.mlp, units=(8,)))
    rollout = data_storage.empty(agent.step, T, N)
    random = np.random.default_rng(0)
    for _, array in trees.named(rollouts.leaves(rollout)):
        array[...] = random.normal(size=array.shape) if array.dtype.kind == "f" else 0
    shapes = data_storage.empty(agent.step, T, N)
    return learner.Learner(agent, PPO(num_minibatches=2), shapes, 10, seed=0), rollout


def test_an_update_that_diverges_says_so_and_is_given_no_fingerprint(learning):
    trained, rollout = learning
    given = []
    trained.after_update = lambda *arrays: given.append(arrays)
    trained.step(rollout)
    [(seen, of_agent, of_optimizer)] = given
    assert seen is rollout
    for variables, arrays in (
        (trained.agent.variables, of_agent),
        (trained.state_variables, of_optimizer),
    ):
        for variable, array in zip(variables, arrays, strict=True):
            np.testing.assert_array_equal(variable.numpy(), array)
    rollout.reward[3, 2] = np.inf
    with pytest.raises(errors.DivergenceError, match="update 2 made parameters that are not fin"):
        trained.step(rollout)
    assert len(given) == 1


def test_progress_is_the_share_of_all_updates_that_came_before(learning):
    trained, rollout = learning
    rates = [trained.step(rollout)["learning_rate"] for _ in range(3)]
    assert rates == pytest.approx([PPO().learning_rate * (1 - n / 10) for n in range(3)])


def test_values_that_are_not_finite_are_not_taken_from_a_checkpoint(learning):
    trained, _ = learning
    state = trained.state()
    trained.restore(state)
    state["variable/1"] = np.full_like(state["variable/1"], np.nan)
    with pytest.raises(errors.ConfigError, match="has parameters that are not finite"):
        trained.restore(state)


@pytest.mark.parametrize(
    ("name", "says"),
    [(parameters.SPACES, "observes or acts otherwise"), (parameters.NETWORK, "of another network")],
)
def test_a_checkpoint_of_another_spec_or_network_is_refused(learning, name, says):
    trained, _ = learning
    state = {**trained.state(), name: np.array("another")}
    with pytest.raises(errors.ConfigError, match=f"^the checkpoint in --workdir .*{says}: another"):
        trained.restore(state)
    del state[name]  # as of older versions
    trained.restore(state)


def rollout_of(agent, seed):
    rollout = data_storage.empty(agent.step, T, N)
    random = np.random.default_rng(seed)
    for _, array in trees.named(rollouts.leaves(rollout)):
        array[...] = random.normal(5, 3, array.shape) if array.dtype.kind == "f" else 0
    rollout.truncated[...] = random.random(rollout.truncated.shape) < 0.2
    return rollout


def with_statistics(algorithm, delayed=False):
    """A learner whose agent normalises observations, and that scales rewards."""
    spec = synthetic.Synthetic().spec
    torso = functools.partial(torsos.mlp, units=(8,))
    agents = [ActorCritic(spec, 0, torso, normalise_observations=True) for _ in range(2)]
    shapes = data_storage.empty(agents[0].step, T, N)
    gradient_agent = agents[1] if delayed else None
    return learner.Learner(agents[0], algorithm, shapes, 10, 0, gradient_agent, ReturnScaling)


def test_what_opponents_choose_is_not_learnt_from(op_determinism):
    spec = dataclasses.replace(synthetic.Synthetic().spec, num_players=2, num_rivals=1)
    torso = functools.partial(torsos.mlp, units=(8,))
    found = []
    for seed in (0, 1):
        agent = ActorCritic(spec, 0, torso)
        rollout = data_storage.empty(agent.step, T, N, num_players=2)
        for _, array in trees.named(rollouts.leaves(rollout)):
            array[...] = np.random.default_rng(0).random(array.shape) if array.dtype != bool else 0
        rollout.counts[...] = True
        rollout.chosen_by[...] = 0
        rollout.chosen_by[:, 2:, 1] = 3  # half of the environments meet an opponent
        rollout.reward[:, 2:, 1] += seed
        rollout.policy["logits"][:, 2:, 1] *= 1 + seed
        rollout.observation[:, 2:, 1] *= 1 + seed
        shapes = data_storage.empty(agent.step, T, N, num_players=2)
        trained = learner.Learner(agent, PPO(num_minibatches=2), shapes, 10, seed=0)
        before = agent.parameters_hash()
        trained.step(rollout)
        assert agent.parameters_hash() != before
        found.append([variable.numpy() for variable in agent.variables])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


ALGORITHMS = [(PPO(num_minibatches=2), False), (A2C(), False), (A2C(), True)]


@pytest.mark.parametrize(("algorithm", "delayed"), ALGORITHMS)
def test_statistics_belong_to_the_state(op_determinism, algorithm, delayed):
    """A learner that goes on from a saved state comes to the same bits."""
    trained = with_statistics(algorithm, delayed)
    trained.step(rollout_of(trained.agent, 0))
    resumed = with_statistics(algorithm, delayed)
    resumed.restore(trained.state())
    for each in (trained, resumed):
        if delayed:
            each.gradient_agent.copy_from(each.agent)
        each.step(rollout_of(each.agent, 1))
    ours, theirs = trained.state(), resumed.state()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.tobytes() == theirs[name].tobytes(), name
    variables = [array.shape for array in ours.values()]
    assert variables.count((N,)) >= 1  # the returns so far
    mean, _, count = trained.agent.non_trainable_variables
    seen = np.concatenate([rollout_of(trained.agent, i).observation[:-1] for i in (0, 1)])
    np.testing.assert_allclose(mean, seen.reshape(-1, 4).mean(axis=0), rtol=1e-6)
    assert float(count) == 2 * T * N


def test_an_agent_for_evaluation_takes_the_statistics_from_a_checkpoint(op_determinism):
    trained = with_statistics(PPO(num_minibatches=2))
    trained.step(rollout_of(trained.agent, 0))
    alone = with_statistics(PPO(num_minibatches=2)).agent
    parameters.assign(alone.variables, trained.state())
    assert alone.parameters_hash() == trained.agent.parameters_hash()


class Recorder(Algorithm):
    """Trains nothing, and returns what it was given."""

    discount = 0.5

    def make_optimizer(self):
        return PPO().make_optimizer()

    def update(self, agent, optimizer, rollout, permutations, progress):
        _, value = agent.evaluate(rollout)
        return {
            **{f"reward_{t}": rollout.reward[t, 0] for t in range(T)},
            "value": value[0, 0],
        }


def test_the_algorithm_sees_scaled_rewards_and_the_statistics_of_before(op_determinism):
    trained = with_statistics(Recorder())
    fingerprinted = []
    trained.after_update = lambda *arrays: fingerprinted.append(arrays[0])
    rollout = rollout_of(trained.agent, 0)
    raw, row = rollout.reward.copy(), rollout.observation[0, 0]
    value = float(trained.agent(row)[1][0])
    logs = trained.step(rollout)
    np.testing.assert_allclose(logs["value"], value, rtol=1e-6)
    assert abs(float(trained.agent(row)[1][0]) - value) > 1e-3
    variance = float(trained.reward_scaling.variables[2])
    for t in range(T):
        expected = raw[t, 0, 0] / np.sqrt(variance + 1e-8)
        np.testing.assert_allclose(logs[f"reward_{t}"], expected, rtol=1e-5)
    np.testing.assert_array_equal(fingerprinted[0].reward, raw)


def test_statistics_that_are_not_finite_are_noticed(op_determinism):
    trained = with_statistics(Recorder())
    rollout = rollout_of(trained.agent, 0)
    rollout.reward[3, 2] = np.inf
    with pytest.raises(errors.DivergenceError, match="update 1 made parameters that are not fin"):
        trained.step(rollout)


def learner_of(seed, scaling=ReturnScaling, algorithm=None, columns=N):
    agent = ActorCritic(synthetic.Synthetic().spec, seed, functools.partial(torsos.mlp, units=(8,)))
    shapes = data_storage.empty(agent.step, T, columns)
    algorithm = algorithm or PPO(num_minibatches=2)
    return learner.Learner(agent, algorithm, shapes, 10, seed, reward_scaling=scaling)


def test_another_learners_state_is_taken(op_determinism):
    """But for what is about its episodes, which do not go on."""
    first, second = learner_of(0), learner_of(1)
    for number in range(3):
        first.step(rollout_of(first.agent, number))
    second.take_state(first.state(), "first")
    assert second.updates == 0
    (returns,) = second.reward_scaling.of_episodes
    assert not returns.numpy().any()
    first.reward_scaling.of_episodes[0].assign(np.zeros(N))
    found, expected = (one.state() for one in (second, first))
    for name in expected.keys() - {"run/updates"}:
        np.testing.assert_array_equal(found[name], expected[name], name)


@pytest.mark.parametrize(
    "other", [{"scaling": None}, {"algorithm": A2C()}], ids=["no scaling", "another optimizer"]
)
def test_a_state_of_another_kind_is_refused(op_determinism, other):
    with pytest.raises(errors.ConfigError, match="x has no state of such an optimizer, rew"):
        learner_of(1).take_state(learner_of(0, **other).state(), "x")


def test_another_number_of_environments_is_no_hindrance(op_determinism):
    first = learner_of(0, columns=2 * N)
    learner_of(1).take_state(first.state(), "first")


class Adaptive(Recorder):
    """Remembers something of its own, and draws random numbers."""

    random = True

    def make_optimizer(self):
        self.variables = [tf.Variable(1.0, name="weight")]
        return super().make_optimizer()

    def update(self, agent, optimizer, rollout, permutations, progress, seed):
        self.variables[0].assign_add(tf.random.stateless_uniform((), seed))
        return {"weight": self.variables[0] + 0.0}


def test_what_an_algorithm_remembers_is_part_of_the_state(op_determinism):
    trained = learner_of(0, algorithm=Adaptive())
    given = []
    trained.after_update = lambda *arrays: given.append(arrays[2][-1].copy())
    rollout = rollout_of(trained.agent, 0)
    weights = [trained.step(rollout)["weight"] for _ in range(2)]
    state = trained.state()
    weights += [trained.step(rollout)["weight"] for _ in range(2)]
    assert given == pytest.approx(weights, abs=0)
    steps = np.diff([1.0, *weights])
    assert len({*steps.tolist()}) == 4  # another seed each time
    resumed = learner_of(0, algorithm=Adaptive())
    resumed.restore(state)
    assert [resumed.step(rollout)["weight"] for _ in range(2)] == weights[2:]
    other = learner_of(1, algorithm=Adaptive())
    assert other.step(rollout)["weight"] != weights[0]


def test_more_updates_than_a_run_has(learning):
    trained, rollout = learning
    trained.updates = trained.num_updates
    with pytest.raises(errors.RunError, match="has had all of its 10 updates: a schedule"):
        trained.step(rollout)
