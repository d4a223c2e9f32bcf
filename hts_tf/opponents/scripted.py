"""Opponents that follow rules."""

import abc

import numpy as np

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable

_KINDS = {"i": "iu", "u": "iu", "f": "iuf", "b": "b"}  # of numpy: what may be given for what


class Scripted(abc.ABC):
    """An opponent that gin binds by its class, which is made from the environment's spec.

    Attributes:
      spec: of the environment.
    """

    def __init__(self, spec: specs.EnvironmentSpec) -> None:
        """Takes the spec; a subclass may have further parameters, which gin binds."""
        self.spec = spec

    @abc.abstractmethod
    def act(self, observation: trees.Tree, noise: np.ndarray) -> np.ndarray:
        """Returns actions [n, ...] of players: a pure function of what they observe, and noise.

        Where there are masks, what these forbid must not be chosen; to those who have left nothing
        is permitted, and what is chosen for them is not played.

        Args:
          observation: [n, ...]; for masks see `specs.action_mask_of`.
          noise: [n, ...], of the agent's kind; see `ActionHead.draw_noise`.
        """


@configurable(denylist=["spec"])
class Always(Scripted):
    """Chooses the same action whatever happens; the first that is permitted, where it is not."""

    def __init__(self, spec: specs.EnvironmentSpec, action: int = 0) -> None:
        """Takes the action; in football 0 is to stand still.

        Raises:
          ConfigError: the environment has no such action.
        """
        super().__init__(spec)
        is_choice = isinstance(spec.action, specs.DiscreteSpec)
        if not is_choice or not 0 <= action < spec.action.num_values:
            raise errors.ConfigError(f"Always.action = {action} is none of the environment's")
        self._action = np.array(action, spec.action.dtype)

    def act(self, observation: trees.Tree, noise: np.ndarray) -> np.ndarray:
        """See `Scripted`."""
        chosen = np.full(len(noise), self._action)
        mask = specs.action_mask_of(observation)
        if mask is None:
            return chosen
        return np.where(mask[:, self._action], chosen, mask.argmax(-1).astype(chosen.dtype))


def choose(
    opponent: Scripted, action: specs.ArraySpec, observation: trees.Tree, noise: np.ndarray
) -> np.ndarray:
    """Returns what an opponent chooses, [n, ...]; for the arguments see `Scripted.act`.

    Raises:
      ConfigError: these are no actions of the environment's, or, of a single choice, not permitted.
    """
    name, chosen = f"{type(opponent).__name__}.act", np.asarray(opponent.act(observation, noise))
    shape = len(noise), *action.shape
    if chosen.shape != shape or chosen.dtype.kind not in _KINDS[np.dtype(action.dtype).kind]:
        raise errors.ConfigError(
            f"{name} returned {chosen.dtype} {chosen.shape}, not {action.dtype} {shape}"
        )
    try:
        action.check(chosen)
    except errors.ConfigError as error:
        raise errors.ConfigError(f"{name} returned {error}") from None
    mask = specs.action_mask_of(observation)
    if mask is not None and isinstance(action, specs.DiscreteSpec):
        forbidden = mask.any(-1) & ~mask[np.arange(len(mask)), chosen]
        if forbidden.any():
            raise errors.ConfigError(
                f"{name} returned action {chosen[forbidden][0]}, which the mask does not permit"
            )
    return chosen
