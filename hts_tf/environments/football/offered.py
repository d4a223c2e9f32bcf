"""Football as other frameworks are offered it: what `for_gymnasium` and `for_pettingzoo` share.

gfootball is imported when a match is made, never by this module.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import gymnasium
import numpy as np

from hts_tf import errors, specs
from hts_tf.environments import base
from hts_tf.environments.football import football, super_mini_map

Representation = Literal["extracted", "positions", "simple115v2", "relative"]
Rewards = Literal["scoring", "scoring,checkpoints"]

# What is shown -> as what `football.Football` represents it.
_SHOWN = {
    "extracted": "extracted",
    "positions": "extracted",
    "simple115v2": "simple115v2",
    "relative": "relative",
}
_DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(football.Football)
    if field.default is not dataclasses.MISSING
}
_SEEDS = 2**31


class Offered:
    """A match whose players observe arrays, one each.

    Attributes:
      game: what is played.
      observation_space: of one player.
      action_space: of one player.
      environment: that plays it.
    """

    def __init__(
        self,
        scenario: str,
        representation: Representation,
        rewards: Rewards,
        frames: int | None,
        left_players: int | Literal["all"],
        right_players: int | Literal["all"],
        render_mode: Literal["rgb_array"] | None,
        render_3d: bool,
    ) -> None:
        """Checks the scenario; the engine starts at the first reset.

        Args:
          scenario: see `football.Football`.
          representation: what is observed. "extracted": gfootball's super mini map,
            [72, 96, 4 * frames] uint8 of 0 and 255, oldest frame first. "positions": the same in
            short, [frames, 24] uint16: a pixel's row * 96 + column for each of 11 left players,
            11 right players, ball, and active player; 65535 where there is none.
            "simple115v2": gfootball's [115 * frames] float32, see `simple115v2.encode`.
            "relative": [217 * frames] float32, see `relative.encode`.
          rewards: see `football.Football`.
          frames: how many are stacked, 1 to 8; None takes 4 of maps, 1 of floats.
          left_players: see `football.Football`.
          right_players: the same.
          render_mode: "rgb_array" for pictures.
          render_3d: they are gfootball's own, which need OpenGL, instead of drawn from above. Only
            one such environment can be in a process.

        Raises:
          ConfigError: an argument is not among these, or see `football.Football`.
        """
        if representation not in _SHOWN:
            raise errors.ConfigError(
                f"representation = {representation!r} is none of {', '.join(_SHOWN)}"
            )
        if render_mode not in (None, "rgb_array"):
            raise errors.ConfigError(f"render_mode = {render_mode!r} is neither None nor rgb_array")
        if render_3d and render_mode is None:
            raise errors.ConfigError("render_3d needs render_mode='rgb_array'")
        given = {
            "rewards": rewards,
            "frames": frames,
            "representation": _SHOWN[representation],
            "left_players": left_players,
            "right_players": right_players,
        }
        # All else, too: gin would fill in what a run's configuration in this process binds.
        self.game = football.Football(scenario, **{**_DEFAULTS, **given})
        spec = self.game.spec
        self.action_space = gymnasium.spaces.Discrete(spec.action.num_values)
        self.observation_space, self._decode = _seen(representation, spec.observation)
        self._render_mode = render_mode
        self._encoded = spec.new_observation()
        self._players = self._encoded.reshape(-1, *spec.observation.shape)  # the same memory
        self.environment = self.game.make() if render_mode is None else self.game.watch(render_3d)

    def reset(self, seed: int | None, random: np.random.Generator) -> tuple[int, list[np.ndarray]]:
        """Starts an episode.

        Args:
          seed: of the episode, modulo 2**31; None draws one.
          random: where it is drawn from.

        Returns:
          The seed, with which the episode can be played again, and what each player observes.
        """
        seed = int(random.integers(_SEEDS)) if seed is None else seed % _SEEDS
        self.environment.reset(seed, self._encoded)
        return seed, self._observations()

    def step(self, action: Any) -> tuple[list[np.ndarray], base.StepResult]:
        """Plays one env step.

        Args:
          action: a number, or as many as there are players.

        Returns:
          What each player observes, and what else the step has brought.

        Raises:
          ValueError: these are no such actions.
          RuntimeError: there is no running episode.
        """
        players = self.game.spec.players
        chosen = np.asarray(action)
        if chosen.shape != players or not all(map(self.action_space.contains, chosen.flat)):
            raise ValueError(
                f"the action is {action!r:.80}, not {self.action_space} of "
                f"{players[0] if players else 1} player(s)"
            )
        action = chosen if players else chosen.item()
        result = self.environment.step(action, self._encoded)
        return self._observations(), result

    def render(self) -> np.ndarray | None:
        """Returns a picture of how the last env step, or reset, has left things; None without.

        Raises:
          RuntimeError: no episode has begun, or this has been closed.
        """
        return None if self._render_mode is None else np.array(self.environment.picture())

    def _observations(self) -> list[np.ndarray]:
        return [self._decode(player) for player in self._players]


def _seen(
    representation: Representation, encoded: specs.ArraySpec
) -> tuple[gymnasium.spaces.Box, Callable[[np.ndarray], np.ndarray]]:
    """Returns the space of what a player sees, and what makes it of an encoded observation."""
    if representation == "extracted":
        space = gymnasium.spaces.Box(0, 255, encoded.dense_shape, np.uint8)
        return space, super_mini_map.to_image
    if representation == "positions":
        return gymnasium.spaces.Box(0, 65535, encoded.shape, np.uint16), np.copy
    return gymnasium.spaces.Box(-np.inf, np.inf, encoded.shape, np.float32), np.copy
