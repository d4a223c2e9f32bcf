"""gfootball's checkpoint reward: pay for bringing the ball to the opponent's goal."""

import numpy as np

_COUNT = 10
_REWARD = 0.1
# Distances to the goal at which they are collected, from 0.99 down to 0.19.
_DISTANCES = tuple(0.99 - 0.8 / (_COUNT - 1) * index for index in range(_COUNT))


class CheckpointReward:
    """Adds the checkpoint reward to an episode's goal rewards.

    Each of ten checkpoints pays 0.1 when the agent's player first holds the ball beyond it. Those
    left are paid with a goal, so that a scoring episode returns 2. Equal to the bit to
    `gfootball.env.wrappers.CheckpointRewardWrapper`, which calculates in float32.
    """

    def __init__(self, weight: float = 1.0) -> None:
        """Begins an episode.

        Args:
          weight: what checkpoints, but not goals, are multiplied by.
        """
        self._weight = weight
        self.reset()

    def reset(self) -> None:
        """Starts an episode, no checkpoint collected."""
        self._collected = 0

    def __call__(self, goal_reward: int, ball: tuple[float, float] | None) -> float:
        """Collects checkpoints, after each env step.

        Args:
          goal_reward: of the env step: 1, 0 or -1.
          ball: (x, y) of the ball in engine coordinates, if the agent's player holds it.

        Returns:
          The goal reward plus the reward of the checkpoints collected.
        """
        reward = np.float32(goal_reward)
        if goal_reward == 1:
            reward += np.float32(self._weight * (_REWARD * (_COUNT - self._collected)))
            self._collected = _COUNT
        elif ball is not None:
            x, y = ball
            distance = ((x - 1) ** 2 + y**2) ** 0.5
            while self._collected < _COUNT and distance <= _DISTANCES[self._collected]:
                reward += np.float32(self._weight * _REWARD)
                self._collected += 1
        return float(reward)
