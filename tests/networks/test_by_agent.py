import functools

import numpy as np
import pytest
import tensorflow as tf

from hts_tf import errors, specs
from hts_tf.networks import torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.networks.by_agent import by_agent
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.parameters import network
from tests import command_line
from tests.sameness import assert_same

pytestmark = pytest.mark.usefixtures("op_determinism")

TINY = functools.partial(torsos.mlp, units=(3,))
SEEN = specs.ArraySpec((4,), "float32")
SPEC = {"observation": SEEN, specs.AGENT: specs.DiscreteSpec(num_values=3)}
ROLES = (1, 0, 1)


def example():
    """Seven observations, of agents 0, 1, 2, 0, 1, ..."""
    seen = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    return {"observation": seen, specs.AGENT: np.arange(7, dtype=np.int64) % 3}


def test_each_role_has_a_torso_of_its_own():
    (layer,) = by_agent(SPEC, Seeds(0), TINY, ROLES)
    observation = example()
    made = layer(observation).numpy()
    assert made.shape == (7, 2 * 3)
    seeds = Seeds(0)
    for role in (0, 1):
        alone = observation["observation"]
        for each in TINY(SEEN, seeds):
            alone = each(alone)
        own = np.array(ROLES)[observation[specs.AGENT]] == role
        part = made[:, 3 * role : 3 * role + 3]
        np.testing.assert_array_equal(part[own], alone.numpy()[own])
        assert not part[~own].any()


def test_by_default_each_agent_has_its_own_role():
    (layer,) = by_agent(SPEC, Seeds(0))
    assert layer(example()).shape == (7, 3 * 64)


@pytest.mark.parametrize("agent", range(3))
def test_only_its_own_weights_have_a_gradient(agent):
    """But for the heads' biases, which are everybody's."""
    action = specs.DiscreteSpec(num_values=2)
    torso = functools.partial(by_agent, torso=TINY, roles=ROLES)
    policy = ActorCritic(specs.EnvironmentSpec(SPEC, action, 10), 0, torso)
    observation = {**example(), specs.AGENT: np.full(7, agent)}
    with tf.GradientTape() as tape:
        logits, value = policy(observation)
        loss = tf.reduce_sum(logits["logits"] ** 2) + tf.reduce_sum(value)
    moved = {0: 0, 1: 0}
    for gradient in tape.gradient(loss, policy.trainable_variables):
        found = gradient.numpy()
        if found.shape == (6, 2) or found.shape == (6, 1):  # of a head, three rows for each role
            for role in moved:
                moved[role] += np.abs(found[3 * role : 3 * role + 3]).sum()
    assert moved[ROLES[agent]] > 0
    assert moved[1 - ROLES[agent]] == 0


def test_who_has_which_role_is_part_of_the_network():
    """Else a policy would be taken for one of other roles."""
    environment = specs.EnvironmentSpec(SPEC, specs.DiscreteSpec(num_values=2), 10)
    first, again, other = (
        str(network(ActorCritic(environment, 0, functools.partial(by_agent, torso=TINY, roles=r))))
        for r in (ROLES, ROLES, (1, 0, 0))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("spec", "roles", "message"),
    [
        (SEEN, None, "bind PettingZoo.agent_indicator = True"),
        ({"observation": SEEN}, None, "bind PettingZoo.agent_indicator = True"),
        ({specs.AGENT: SPEC[specs.AGENT]}, None, "bind PettingZoo.agent_indicator = True"),
        (SPEC, (0, 1), r"by_agent.roles = \(0, 1\) must give each of the 3 agents its role"),
        (SPEC, (0, 2, 2), r"by_agent.roles = \(0, 2, 2\) must .* leave out none of 0, 1, "),
        (SPEC, (), r"by_agent.roles = \(\) must give each of the 3 agents its role"),
    ],
)
def test_what_it_refuses(spec, roles, message):
    with pytest.raises(errors.ConfigError, match=message):
        by_agent(spec, Seeds(0), TINY, roles)


@pytest.mark.slow
def test_agents_that_differ_are_trained_to_the_same_bits(tmp_path):
    pytest.importorskip("pettingzoo")
    flags = [
        "--scenario=pettingzoo:tests.zoo",
        "PettingZoo.kwargs = {'sizes': (2, 4, 3), 'values': (3, 2, 5)}",
        "PettingZoo.agent_indicator = True",
        "ActorCritic.torso = @by_agent",
        "by_agent.roles = (0, 1, 0)",
        "PPO.epochs = 2",
        "PPO.num_minibatches = 4",
        "Trainer.num_envs = 4",
        "Trainer.sync_interval = 16",
        "Trainer.total_env_steps = 256",
    ]
    flags = [flag if flag.startswith("--") else f"--gin_bindings={flag}" for flag in flags]
    workdirs = []
    for executors, actors in [(1, 1), (3, 2)]:
        workdirs.append(tmp_path / str(executors))
        code, _, errors_ = command_line.run(
            "hts_tf.train",
            *flags,
            f"--workdir={workdirs[-1]}",
            f"--gin_bindings=Trainer.num_executors = {executors}",
            f"--gin_bindings=Trainer.num_actors = {actors}",
        )
        assert code == 0, errors_
    assert_same(*workdirs, 4)
