"""Football for other frameworks: a parallel PettingZoo environment, each player an agent."""

from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv

from hts_tf.environments.football import simple115v2
from hts_tf.environments.football.offered import Offered, Representation, Rewards


class FootballParallelEnv(ParallelEnv[str, np.ndarray, int]):
    """A football scenario with several players; see `football.Football` for what they are.

    Agents are "left_0", "left_1", ..., "right_0", ...; all of them stay to an episode's end.
    Episodes are functions of their seeds and actions to the bit.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "hts_tf_football_v0",
        "render_modes": ["rgb_array"],
        "render_fps": 10,
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scenario: str,
        representation: Representation = "simple115v2",
        rewards: Rewards = "scoring,checkpoints",
        frames: int | None = None,
        left_players: int | Literal["all"] = "all",
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
        left, right = self._offered.game.players
        self.possible_agents = [
            *(f"left_{index}" for index in range(left)),
            *(f"right_{index}" for index in range(right)),
        ]
        self.agents: list[str] = []
        self._random = np.random.default_rng()
        self._is_alone = len(self.possible_agents) == 1
        state = simple115v2.spec(frames=1)
        self.state_space = gymnasium.spaces.Box(-np.inf, np.inf, state.shape, np.float32)

    def observation_space(self, agent: str) -> gymnasium.Space[np.ndarray]:
        """Returns what an agent observes; the same for all."""
        return self._offered.observation_space

    def action_space(self, agent: str) -> gymnasium.spaces.Discrete:
        """Returns what an agent may do; the same for all."""
        return self._offered.action_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Starts an episode.

        Args:
          seed: of the episode, modulo 2**31, and of those drawn for the episodes after it.
          options: ignored.

        Returns:
          What each agent observes, and "seed", with which this episode can be played again.
        """
        if seed is not None:
            self._random = np.random.default_rng(seed)
        seed, observations = self._offered.reset(seed, self._random)
        self.agents = list(self.possible_agents)
        infos = [{"seed": seed} for _ in self.agents]
        return self._by_agent(observations), self._by_agent(infos)

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, np.ndarray],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Plays one env step.

        Returns:
          Of each agent: observation, reward, terminated, truncated, and a dict of "score": 1, 0 or
          -1, the goals of this step for its side.

        Raises:
          ValueError: an agent has no action, or none of its space.
          RuntimeError: there is no running episode.
        """
        if not self.agents:
            raise RuntimeError("there is no running episode: call reset")
        if missing := [agent for agent in self.agents if agent not in actions]:
            raise ValueError(f"{missing[0]!r} has no action")
        chosen = np.array([actions[agent] for agent in self.possible_agents])
        observations, result = self._offered.step(chosen[0] if self._is_alone else chosen)
        rewards, scores, terminated, truncated = (
            self._by_agent(np.ravel(values).tolist())
            for values in (result.reward, result.score, result.terminated, result.truncated)
        )
        infos = {agent: {"score": score} for agent, score in scores.items()}
        seen = self._by_agent(observations)
        if result.is_over:
            self.agents = []
        return seen, rewards, terminated, truncated, infos

    def state(self) -> np.ndarray:
        """Returns all of the match, [115] float32, as the first agent sees it.

        Raises:
          RuntimeError: no episode has begun, or this has been closed.
        """
        return self._offered.environment.state()

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

    def _by_agent(self, values: list[Any]) -> dict[str, Any]:
        return dict(zip(self.possible_agents, values, strict=True))
