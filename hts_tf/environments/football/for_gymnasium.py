"""Football for other frameworks: a Gymnasium environment; `hts_tf.football` registers it.

gfootball is imported when the first one is made, never by this module.
"""

from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np

from hts_tf import errors
from hts_tf.environments.football import environment, football, simple115v2, super_mini_map

_REPRESENTATIONS = ("extracted", "positions", "simple115v2")
_SEEDS = 2**31


class FootballEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A football scenario in which the agent controls one player of the left team.

    Episodes are functions of their seeds and actions to the bit, and those of gfootball's own
    environment. An episode that the scenario's time limit cuts is truncated, not terminated.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        scenario: str,
        representation: Literal["extracted", "positions", "simple115v2"] = "extracted",
        rewards: Literal["scoring", "scoring,checkpoints"] = "scoring,checkpoints",
        frames: int | None = None,
        render_mode: Literal["rgb_array"] | None = None,
        render_3d: bool = False,
    ) -> None:
        """Checks the scenario; the engine starts at the first reset.

        Args:
          scenario: see `football.Football`.
          representation: what is observed. "extracted": gfootball's super mini map,
            [72, 96, 4 * frames] uint8 of 0 and 255, oldest frame first. "positions": the same in
            short, [frames, 24] uint16: a pixel's row * 96 + column for each of 11 left players,
            11 right players, ball, and active player; 65535 where there is none.
            "simple115v2": gfootball's [115 * frames] float32, see `simple115v2.encode`.
          rewards: see `football.Football`.
          frames: how many are stacked, 1 to 8; None takes 4, but one of "simple115v2".
          render_mode: "rgb_array" for pictures.
          render_3d: they are gfootball's own, which need OpenGL, instead of drawn from above. Only
            one such environment can be in a process.

        Raises:
          ConfigError: an argument is not among these, or see `football.Football`.
        """
        if representation not in _REPRESENTATIONS:
            raise errors.ConfigError(
                f"representation = {representation!r} is none of {', '.join(_REPRESENTATIONS)}"
            )
        if render_mode not in (None, "rgb_array"):
            raise errors.ConfigError(f"render_mode = {render_mode!r} is neither None nor rgb_array")
        is_vector = representation == "simple115v2"
        if frames is None:
            frames = 1 if is_vector else 4
        game = football.Football(scenario, rewards, frames)

        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Discrete(game.spec.action.num_values)
        spec = (simple115v2 if is_vector else super_mini_map).spec(frames)
        if representation == "extracted":
            self.observation_space = gymnasium.spaces.Box(0, 255, spec.dense_shape, np.uint8)
        elif is_vector:
            self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, spec.shape, np.float32)
        else:
            self.observation_space = gymnasium.spaces.Box(0, 65535, spec.shape, np.uint16)

        self._decode = super_mini_map.to_image if representation == "extracted" else np.copy
        self._encoded = np.zeros(spec.shape, spec.dtype)
        shown = "simple115v2" if is_vector else "extracted"
        if render_mode is None:
            self._environment = environment.FootballEnvironment(scenario, rewards, frames, shown)
        else:
            from hts_tf.environments.football import view  # needs Pillow

            self._environment = view.FootballView(scenario, rewards, frames, render_3d, shown)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode.

        Args:
          seed: of the episode, modulo 2**31, and of those drawn for the episodes after it.
          options: ignored.

        Returns:
          The observation, and a dict of "seed", with which this episode can be played again.
        """
        super().reset(seed=seed)
        seed = int(self.np_random.integers(_SEEDS)) if seed is None else seed % _SEEDS
        self._environment.reset(seed, self._encoded)
        return self._decode(self._encoded), {"seed": seed}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays one env step.

        Returns:
          Observation, reward, terminated, truncated, and a dict of "score": 1, 0 or -1, the goals
          of this step; and the same as "score_reward", gfootball's name for it.

        Raises:
          RuntimeError: there is no running episode.
        """
        result = self._environment.step(action, self._encoded)
        info = {"score": result.score, "score_reward": int(result.score)}
        observation = self._decode(self._encoded)
        return observation, result.reward, result.terminated, result.truncated, info

    def render(self) -> np.ndarray | None:
        """Returns a picture of how the last env step, or reset, has left things.

        Returns:
          [height, width, 3] uint8, or None if `render_mode` is None.
        """
        return None if self.render_mode is None else np.array(self._environment.picture())

    def close(self) -> None:
        """Releases the engine; may be called twice."""
        self._environment.close()
