"""The torso for agents that play different roles: a torso for each role, one beside the other."""

from collections.abc import Sequence
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from annotated_types import Ge, Le

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable
from hts_tf.networks.by_entry import suited
from hts_tf.networks.initialisation import Seeds
from hts_tf.networks.torsos import Torso, layers_of, through, without
from hts_tf.networks.transparent import Transparent


class Roles(Transparent):
    """Takes what an agent observes through the layers of its role; the others' features are 0.

    They lie one after the other, so a linear layer on top has weights of its own for each role.
    """

    def __init__(
        self,
        branches: Sequence[Sequence[keras.layers.Layer]],
        roles: Sequence[int],
    ) -> None:
        """Takes the layers of each role, and each agent's role."""
        super().__init__()
        self._branches = [[*layers, keras.layers.Flatten()] for layers in branches]
        self.function = str(tuple(roles))
        # Of each role, its agents' numbers.
        self._agents = [np.flatnonzero(np.array(roles) == role) for role in range(len(branches))]

    def call(self, observation: dict[str, trees.Tree]) -> tf.Tensor:
        """Returns features [B, roles * n] of observations [B, ...] with the entry `specs.AGENT`."""
        agent = keras.ops.cast(keras.ops.reshape(observation[specs.AGENT], (-1, 1)), "int64")
        seen = without(observation, specs.AGENT)
        made = []
        for layers, agents in zip(self._branches, self._agents, strict=True):
            features = through(layers, seen)
            own = keras.ops.any(keras.ops.equal(agent, agents), axis=-1, keepdims=True)
            made.append(keras.ops.where(own, features, keras.ops.zeros_like(features)))
        return keras.ops.concatenate(made, axis=-1)


@configurable(denylist=["spec", "seeds"])
def by_agent(
    spec: trees.Tree,
    seeds: Seeds,
    torso: Torso | None = None,
    roles: Sequence[Annotated[int, Ge(0), Le(1023)]] | None = None,
) -> list[keras.layers.Layer]:
    """Layers of a torso that has one for each role, for agents that are told who they are.

    With the heads, which are linear, agents of different roles share nothing but the heads' biases
    and deviations (and a core, a value torso that is no `by_agent`, and statistics of observations,
    where there are any). Each role's torso is computed for all agents, so that results do
    not depend on who is in a batch: that takes as many times as long as there are roles.

    Args:
      spec: of the observation: a dict with the entry `specs.AGENT`; see
        `PettingZoo.agent_indicator`.
      seeds: of the initialisers.
      torso: of each role; None takes what suits the rest of the observation.
      roles: the role of each agent, 0 to R - 1, such as (0, 0, 1); None gives each its own.

    Raises:
      ConfigError: agents are not told who they are, or roles are not theirs.
    """
    agent = spec.get(specs.AGENT) if isinstance(spec, dict) else None
    if not isinstance(agent, specs.DiscreteSpec) or len(spec) < 2:
        raise errors.ConfigError(
            "the torso @by_agent is for observations that say whose they are: bind "
            "PettingZoo.agent_indicator = True, or another torso"
        )
    roles = list(range(agent.num_values)) if roles is None else list(roles)
    if len(roles) != agent.num_values or {*roles} != {*range(max(roles, default=0) + 1)}:
        raise errors.ConfigError(
            f"by_agent.roles = {tuple(roles)} must give each of the {agent.num_values} agents its "
            "role, and leave out none of 0, 1, ... up to the last"
        )
    rest = without(spec, specs.AGENT)
    branches = [layers_of(torso or suited(rest), rest, seeds) for _ in range(max(roles) + 1)]
    return [Roles(branches, roles)]
