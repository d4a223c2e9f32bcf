"""How often opponents are met: from the results against them so far."""

from collections.abc import Callable

import numpy as np

from hts_tf import values
from hts_tf.configurables import configurable

# From [n, 3], wins, draws and losses of the learner against each (the later, the more one counts;
# opponents oldest first), to weights [n].
Weighting = Callable[[np.ndarray], np.ndarray]


def win_rates(results: np.ndarray) -> np.ndarray:
    """Returns the learner's, [n]: draws count half, and everybody begins with a draw.

    Args:
      results: [n, 3], wins, draws and losses.
    """
    wins, draws, losses = results.T
    return (wins + 0.5 * draws + 0.5) / (wins + draws + losses + 1.0)


@configurable(denylist=["results"])
def uniform(results: np.ndarray) -> np.ndarray:
    """Each alike: fictitious self-play (Heinrich et al. 2015), over the pool."""
    return np.ones(len(results))


@configurable(denylist=["results"])
def latest(results: np.ndarray) -> np.ndarray:
    """Only the newest."""
    weights = np.zeros(len(results))
    weights[-1:] = 1.0
    return weights


@configurable(denylist=["results"])
def prioritised(results: np.ndarray, power: values.Positive = 2.0) -> np.ndarray:
    """Harder ones more often: (1 - win rate)^power (Vinyals et al. 2019, AlphaStar's PFSP)."""
    return (1.0 - win_rates(results)) ** power
