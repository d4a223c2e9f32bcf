"""Football for other frameworks: a Gymnasium environment; `hts_tf.football` registers it."""

from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np

from hts_tf.environments import base
from hts_tf.environments.football.offered import Offered, Representation, Rewards


class FootballEnv(gymnasium.Env[np.ndarray, Any]):
    """A football scenario in which the agent controls one player of the left team, or several.

    Episodes are functions of their seeds and actions to the bit, and those of gfootball's own
    environment. An episode that the scenario's time limit cuts is truncated, not terminated.

    Of several players, left ones first, observations are [players, ...] and actions
    MultiDiscrete; the reward is the mean of theirs, which are in `info["rewards"]`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        scenario: str,
        representation: Representation = "extracted",
        rewards: Rewards = "scoring,checkpoints",
        frames: int | None = None,
        left_players: int | Literal["all"] = 1,
        right_players: int | Literal["all"] = 0,
        render_mode: Literal["rgb_array"] | None = None,
        render_3d: bool = False,
    ) -> None:
        """Checks the scenario; the engine starts at the first reset. See `Offered`."""
        self._offered = Offered(
            scenario,
            representation,
            rewards,
            frames,
            left_players,
            right_players,
            render_mode,
            render_3d,
        )
        self.render_mode = render_mode
        self.action_space = self._offered.action_space
        self.observation_space = self._offered.observation_space
        number = sum(self._offered.game.players)
        self._is_alone = number == 1
        if not self._is_alone:
            self.action_space = gymnasium.spaces.MultiDiscrete([self.action_space.n] * number)
            space = self.observation_space
            self.observation_space = gymnasium.spaces.Box(
                np.stack([space.low] * number), np.stack([space.high] * number), dtype=space.dtype
            )

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
        seed, observations = self._offered.reset(seed, self.np_random)
        return self._joined(observations), {"seed": seed}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Plays one env step.

        Returns:
          Observation, reward, terminated, truncated, and a dict of "score": 1, 0 or -1, the goals
          of this step, as the first player's side sees it; and the same as "score_reward",
          gfootball's name for it.

        Raises:
          ValueError: the action is not of the space.
          RuntimeError: there is no running episode.
        """
        observations, result = self._offered.step(action)
        score = float(np.ravel(result.score)[0])
        info: dict[str, Any] = {"score": score, "score_reward": int(score)}
        if not self._is_alone:
            info["rewards"] = result.reward
        return self._joined(observations), *_scalars(result), info

    def render(self) -> np.ndarray | None:
        """Returns a picture of how the last env step, or reset, has left things.

        Returns:
          [height, width, 3] uint8, or None if `render_mode` is None.

        Raises:
          RuntimeError: no episode has begun, or this has been closed.
        """
        return self._offered.render()

    def close(self) -> None:
        """Releases the engine; may be called twice."""
        self._offered.environment.close()

    def _joined(self, observations: list[np.ndarray]) -> np.ndarray:
        return observations[0] if self._is_alone else np.stack(observations)


def _scalars(result: base.StepResult) -> tuple[float, bool, bool]:
    """Returns reward, terminated and truncated, which in football are the same for all players."""
    ends = (bool(np.all(ended)) for ended in (result.terminated, result.truncated))
    return float(np.mean(result.reward)), *ends
