"""What is told of a network beside its variables, so that another is not given them."""

import functools

import pytest

from hts_tf import errors, specs
from hts_tf.networks import parameters, torsos
from hts_tf.networks.actor_critic import ActorCritic

SPEC = specs.EnvironmentSpec(
    specs.ArraySpec((36, 36, 1), "uint8"), specs.DiscreteSpec(num_values=2), max_episode_steps=9
)


def make(*strides):
    """Networks of the same variables, whose images between the layers may differ in size."""
    convolutions = tuple((4, 2, stride) for stride in strides)
    return ActorCritic(SPEC, 0, functools.partial(torsos.nature_cnn, convolutions=convolutions))


def test_strides_tell_networks_apart(op_determinism):
    one, other = make(2, 3), make(3, 2)
    assert [v.shape for v in one.variables] == [v.shape for v in other.variables]
    state = parameters.frozen(one)
    parameters.check(make(2, 3), state, "it")
    with pytest.raises(errors.ConfigError, match=r"^it is of another network: "):
        parameters.check(other, state, "it")
    # Older files do not tell.
    state[parameters.NETWORK] = parameters.network(one, with_strides=False)
    parameters.check(other, state, "it")
