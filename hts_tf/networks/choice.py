"""Which network is for which kind of environment, where none is bound."""

from typing import Any

import gin

from hts_tf import bindings, configurables, errors, specs, trees
from hts_tf.networks import by_entry, torsos
from hts_tf.networks.action_head import ActionHead, described
from hts_tf.networks.bernoulli import Bernoulli
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.gaussian import Gaussian
from hts_tf.networks.multi_categorical import MultiCategorical

_AGENT = "ActorCritic"
_HEADS = (Categorical, MultiCategorical, Bernoulli, Gaussian)


def torso_for(observation: trees.Tree) -> torsos.Torso:
    """Returns the torso for a kind of observation.

    A pixel map, or an image (`torsos.image_shape`) at least 36 wide: `nature_cnn`; a smaller one:
    `small_cnn`; a dict or tuple with any of these in it: `by_entry`. All else, also an image less
    than 3 wide: `mlp`.

    Args:
      observation: its spec; what the policy does not see of it does not count.
    """
    return by_entry.suited(torsos.seen_by_policy(observation))


def value_torso_for(observation: trees.Tree) -> torsos.Torso | None:
    """Returns the torso of a value that sees more than the policy; None for one that does not."""
    if not specs.has_critic_state(observation):
        return None
    return by_entry.suited(torsos.seen_by_critic(observation))


def head_for(action: specs.ArraySpec) -> type[ActionHead]:
    """Returns the head, a configurable, that is for such actions. Raises: ConfigError: none is."""
    for head in _HEADS:
        if head.serves(action):
            return head
    raise errors.ConfigError(
        f"no action head is for {described(action)}: bind one of your own as ActorCritic.head, or "
        "change the environment's spec",
        page="design.md#heads",
    )


def bind(environment: specs.EnvironmentSpec) -> list[str]:
    """Binds in gin what `ActorCritic` would choose, so that the run's workdir remembers it.

    Returns:
      The bindings, as gin files have them; none where all is bound already.
    """
    chosen = {}
    if _bound("torso") is None:
        chosen["torso"] = torso_for(environment.observation)
    value_torso = value_torso_for(environment.observation)
    if value_torso is not None and _bound("value_torso") is None:
        chosen["value_torso"] = value_torso
    if _bound("head") is None:
        chosen["head"] = head_for(environment.action)
    made = []
    with gin.unlock_config():
        for parameter, maker in chosen.items():
            reference = bindings.refer(configurables.selector(maker), evaluate=False)
            gin.bind_parameter(f"{_AGENT}.{parameter}", reference)
            made.append(f"{_AGENT}.{parameter} = {reference!r}")
    return made


def _bound(parameter: str) -> Any:
    try:
        return gin.query_parameter(f"{_AGENT}.{parameter}")
    except ValueError:  # nothing is
        return None
