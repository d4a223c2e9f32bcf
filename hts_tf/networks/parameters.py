"""An agent's parameters as files have them: its variables by number, and what they are of."""

import re
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from hts_tf import errors, specs
from hts_tf.networks.agent import Agent
from hts_tf.networks.transparent import Transparent

# In checkpoints and snapshots: what their agent observes and does, and what it is made of.
SPACES, NETWORK = "agent/spaces", "agent/network"
_STRIDES = "strides"
_DTYPE = re.compile(r"dtype=(?:dtype\('(\w+)'\)|<class 'numpy\.(\w+)'>)")  # of older versions
CHECKPOINT = "the checkpoint in --workdir"  # for messages


def spaces(agent: Agent) -> np.ndarray:
    """Returns what an agent observes and does, in words: equal for those that can stand in."""
    return np.array(f"observation {agent.step.observation!r}, action {agent.step.action!r}")


def network(agent: Agent, with_strides: bool = True) -> np.ndarray:
    """Returns what its layers are, in words: equal shapes alone may be another function."""
    layers = (
        " ".join(filter(None, _words(layer, with_strides)))
        for layer in agent._flatten_layers(include_self=False)
    )
    return np.array(", ".join(layers))


def _words(layer: keras.Layer, with_strides: bool) -> Iterator[str]:
    yield type(layer).__name__
    yield getattr(getattr(layer, "activation", None), "__name__", "")
    if isinstance(layer, Transparent):
        yield layer.function
    if with_strides and getattr(layer, "strides", None):
        yield f"{_STRIDES} {layer.strides}"


def frozen(agent: Agent) -> dict[str, np.ndarray]:
    """Returns an agent as files have it: what `assign` takes, its spaces, and its network."""
    variables = {f"variable/{i}": v.numpy() for i, v in enumerate(agent.variables)}
    return {**variables, SPACES: spaces(agent), NETWORK: network(agent)}


def check(agent: Agent, state: dict[str, np.ndarray], source: str) -> None:
    """Checks that a saved state is of an agent of the same spaces and network.

    Args:
      agent: that is to be given it.
      state: that was saved; those of older versions do not say what they are of.
      source: of the state, for messages.

    Raises:
      ConfigError: it is not.
    """
    tells_strides = _STRIDES in str(state.get(NETWORK, _STRIDES))  # older versions do not
    for name, own, differs in (
        (SPACES, str(spaces(agent)), "observes or acts otherwise"),
        (NETWORK, str(network(agent, tells_strides)), "is of another network"),
    ):
        found = _DTYPE.sub(r"dtype='\1\2'", str(state.get(name, own)))
        if found != own:
            raise errors.ConfigError(f"{source} {differs}: {found}, not {own}")


def assign(
    variables: Sequence[tf.Variable | None],
    state: dict[str, np.ndarray],
    source: str = CHECKPOINT,
    otherwise: str = "is of another network",
) -> None:
    """Gives variables, such as an agent's, the values of the first ones in a saved state.

    Args:
      variables: to be given them; None passes one over.
      state: that was saved.
      source: of the state, for messages.
      otherwise: what is said of it if it does not fit.

    Raises:
      ConfigError: it is of another agent, or they are not finite.
    """
    for variable, array in matched(variables, state, source, otherwise):
        variable.assign(array)


def matched(
    variables: Sequence[tf.Variable | None],
    state: dict[str, np.ndarray],
    source: str = CHECKPOINT,
    otherwise: str = "is of another network",
) -> Iterator[tuple[tf.Variable, np.ndarray]]:
    """Yields (variable, its value in a saved state); see `assign`, also for what it raises."""
    for i, variable in enumerate(variables):
        if variable is None:
            continue
        array = state.get(f"variable/{i}")
        if array is None or tuple(variable.shape) != array.shape:
            raise errors.ConfigError(f"{source} {otherwise}")
        if not specs.all_finite(array):
            raise errors.ConfigError(f"{source} has parameters that are not finite")
        yield variable, array
