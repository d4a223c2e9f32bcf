"""What has come of meeting opponents, and how good the policy is by that."""

from collections.abc import Iterable

import numpy as np

from hts_tf import rollouts
from hts_tf.opponents import ratings

WIN, DRAW, LOSS = range(3)
_POINTS = (1.0, 0.5, 0.0)
# What a result still counts once there is another one against the same opponent, so that some
# hundred of the last say how things are now (Vinyals et al. 2019, AlphaStar's payoff matrix).
_FADES_TO = 0.99
SELF = 0  # the number of the current policy


def outcome(score: float) -> int:
    """Returns which of `WIN`, `DRAW` and `LOSS` an episode's score is."""
    if abs(score) <= rollouts.NEXT_TO_NOTHING:
        return DRAW
    return WIN if score > 0 else LOSS


class Results:
    """Of a run's episodes so far, by the number of the opponent.

    Attributes:
      outcomes: [n, 3] float64, wins, draws and losses against each; the later, the more one counts.
    """

    def __init__(self, num_opponents: int) -> None:
        """Begins without any, of so many, the current policy among them."""
        self.outcomes = np.zeros((num_opponents, 3))
        self._points = np.zeros((num_opponents, num_opponents))
        self._ratings: np.ndarray | None = None

    def add(self, ended: Iterable[tuple[int, float]]) -> None:
        """Counts episodes: whom they met, and the learner's score."""
        for number, score in ended:
            which = outcome(score)
            self.outcomes[number] *= _FADES_TO
            self.outcomes[number, which] += 1
            self._points[SELF, number] += _POINTS[which]
            self._points[number, SELF] += 1.0 - _POINTS[which]

    def freeze(self) -> None:
        """Rates everybody, and has the current policy be another opponent, as it is now."""
        if len(self.outcomes) > 1:
            strength = ratings.strengths(self._points)
            self._ratings = ratings.ELO * (strength - strength[1])
        self.outcomes = np.concatenate([self.outcomes, np.zeros((1, 3))])
        # What it has scored since the last time, it has scored as who is frozen now.
        order = np.arange(len(self._points) + 1)
        order[[SELF, -1]] = order[[-1, SELF]]
        self._points = np.pad(self._points, (0, 1))[np.ix_(order, order)]

    def new_ratings(self) -> np.ndarray | None:
        """Returns the last ones, [n], once; in Elo points above the opponent of number 1.

        None where there are no new ones. Who was frozen then has that of the current policy.
        """
        found, self._ratings = self._ratings, None
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        return {"opponents/results": self.outcomes, "opponents/points": self._points}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state."""
        self.outcomes = state["opponents/results"].astype(np.float64)
        self._points = state["opponents/points"].copy()
