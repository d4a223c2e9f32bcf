"""Opponents that follow rules."""

import abc

import numpy as np

from hts_tf import errors, specs, trees
from hts_tf.configurables import configurable


class Scripted(abc.ABC):
    """An opponent that gin binds by its class, which is made from the environment's spec."""

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
