"""Ratings of who has played whom: fitted to all results at once, so that their order is nothing."""

from typing import NamedTuple

import numpy as np

ELO = 400.0 / np.log(10.0)  # points of a rating for each unit of log odds
_ROUNDS = 200
_TOLERANCE = 1e-10
_Z = 1.959963984540054  # of a normal distribution's central 95 %


class Ratings(NamedTuple):
    """Of n players, with a mean of 0, or as differences to one of them.

    Attributes:
      rating: [n], Elo points: 400 more are odds of 10 to 1.
      low: [n], of the 95 % interval of what `rating` is.
      high: [n], the same.
    """

    rating: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bradley_terry(points: np.ndarray, anchor: int | None = None) -> Ratings:
    """Fits P(i beats j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry 1952), a draw half a win.

    The maximum of the likelihood, with a drawn match of everybody against a player of strength 0
    added, which keeps who has won or lost everything within reach. Intervals are by the curvature
    there (Fisher information), so they are rough where there are few matches.

    Args:
      points: [n, n], what i has scored against j: 1 for a win, 0.5 for a draw.
      anchor: whose rating is 0. Intervals are then of differences to it, and it has none itself:
        how uncertain it is, is in those of the others. None makes the mean 0.

    Returns:
      Ratings; all 0 where nobody has played.
    """
    count, strength = len(points), strengths(points)
    zero = np.full(count, 1.0 / count) if anchor is None else np.eye(count)[anchor]
    centre = np.eye(count) - zero  # of each, less what is to be 0
    covariance = centre @ np.linalg.inv(_derivatives(strength, points)[1]) @ centre.T
    width = _Z * np.sqrt(np.diag(covariance).clip(0.0)) * ELO
    rating = centre @ strength * ELO
    return Ratings(rating, rating - width, rating + width)


def strengths(points: np.ndarray) -> np.ndarray:
    """Returns the fitted strengths s, [n], in log odds; see `bradley_terry`."""
    strength = np.zeros(len(points))
    for _ in range(_ROUNDS):
        gradient, information = _derivatives(strength, points)
        step = np.linalg.solve(information, gradient)
        strength = strength + step / max(1.0, np.abs(step).max())
        if np.abs(step).max() < _TOLERANCE:
            break
    return strength


def _derivatives(strength: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradient of the log likelihood, and minus its second derivative."""
    matches = points + points.T
    odds = strength[:, None] - strength[None, :]
    chance = 1.0 / (1.0 + np.exp(-odds))
    alone = 1.0 / (1.0 + np.exp(-strength))  # against the player of strength 0
    gradient = (points - matches * chance).sum(axis=1) + 0.5 - alone
    weights = matches * chance * (1.0 - chance)
    information = np.diag(weights.sum(axis=1) + alone * (1.0 - alone)) - weights
    return gradient, information
