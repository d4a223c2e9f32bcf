import functools

import numpy as np
import pytest

from hts_tf import errors, learner, specs, trees
from hts_tf.algorithms.ppo import PPO
from hts_tf.collecting import data_storage
from hts_tf.environments import synthetic
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic

T, N = 8, 4


@pytest.fixture
def learning(op_determinism):
    """A learner of a small agent, and a rollout for it."""
    spec = synthetic.Synthetic().spec
    agent = ActorCritic(spec, 0, functools.partial(torsos.mlp, units=(8,)))
    rollout = data_storage.empty(agent.step, T, N)
    random = np.random.default_rng(0)
    for _, array in trees.named(specs.leaves(rollout)):
        array[...] = random.normal(size=array.shape) if array.dtype.kind == "f" else 0
    shapes = data_storage.empty(agent.step, T, N)
    return learner.Learner(agent, PPO(num_minibatches=2), shapes, 10, seed=0), rollout


def test_an_update_that_diverges_says_so_and_is_given_no_fingerprint(learning):
    trained, rollout = learning
    given = []
    trained.after_update = given.append
    trained.step(rollout)
    assert len(given) == 1
    rollout.reward[3, 2] = np.inf
    with pytest.raises(learner.DivergenceError, match="update 2 made parameters that are not fin"):
        trained.step(rollout)
    assert len(given) == 1


def test_what_is_finite():
    import tensorflow as tf

    sound = [tf.Variable([1.0, -2.0]), tf.Variable(7), tf.Variable([[3e38, 3e38]])]
    assert learner.are_finite(sound)
    for value in (np.nan, np.inf, -np.inf):
        assert not learner.are_finite([*sound, tf.Variable([[0.0, value]])])


def test_values_that_are_not_finite_are_not_taken_from_a_checkpoint(learning):
    trained, _ = learning
    state = trained.state()
    trained.restore(state)
    state["variable/1"] = np.full_like(state["variable/1"], np.nan)
    with pytest.raises(errors.ConfigError, match="has parameters that are not finite"):
        trained.restore(state)
