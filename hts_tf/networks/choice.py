"""Which network is for which kind of environment, where none is bound."""

from hts_tf import errors, specs
from hts_tf.networks.action_head import ActionHead, described
from hts_tf.networks.bernoulli import Bernoulli
from hts_tf.networks.categorical import Categorical
from hts_tf.networks.gaussian import Gaussian
from hts_tf.networks.multi_categorical import MultiCategorical

_HEADS = (Categorical, MultiCategorical, Bernoulli, Gaussian)


def head_for(action: specs.ArraySpec) -> type[ActionHead]:
    """Returns the head, a configurable, that is for such actions. Raises: ConfigError: none is."""
    for head in _HEADS:
        if head.serves(action):
            return head
    raise errors.ConfigError(
        f"no action head is for {described(action)}: bind one of your own as ActorCritic.head, or "
        "change the environment's spec"
    )
