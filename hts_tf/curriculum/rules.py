"""How often episodes are of each task: from what the last episodes of each have come to."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from hts_tf import values
from hts_tf.configurables import configurable

# From [K, window] bool, whether the last episodes of each task were successes, oldest first, and
# [K], how many of these there have been so far, at most `window`, to shares [K]. What is not there
# yet counts as no success, and lies before the others.
Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]


@configurable(denylist=["successes", "counts"])
def one_after_another(
    successes: np.ndarray,
    counts: np.ndarray,
    threshold: values.PositiveFraction = 0.8,
    revisit: Annotated[float, Ge(0), Le(0.99)] = 0.1,
) -> np.ndarray:
    """The first task that is not mastered yet, and now and then those before it.

    A task is mastered while so many of its last episodes were successes; when all are, the last
    one goes on. So a task that is forgotten comes back, if it is revisited.

    Args:
      successes: see `Rule`.
      counts: see `Rule`.
      threshold: share of successes among the last episodes, more than 0 and at most 1.
      revisit: share of the episodes that is of the tasks before, each alike.

    Returns:
      Shares [K].
    """
    window = successes.shape[1]
    mastered = (counts == window) & (successes.mean(axis=1) >= threshold)
    now = int(np.argmin(mastered)) if not mastered.all() else len(mastered) - 1
    shares = np.zeros(len(mastered))
    if now:
        shares[:now] = revisit / now
    shares[now] = 1.0 - shares[:now].sum()
    return shares


@configurable(denylist=["successes", "counts"])
def by_progress(
    successes: np.ndarray, counts: np.ndarray, explore: values.PositiveFraction = 0.2
) -> np.ndarray:
    """Those more often on which success changes, for better or worse.

    How much it does is the difference between the newer and the older half of the last episodes
    (learning progress: Oudeyer et al. 2007; Matiisen et al. 2017, arXiv 1707.00183).

    Args:
      successes: see `Rule`.
      counts: see `Rule`.
      explore: share of the episodes that is of all tasks alike.

    Returns:
      Shares [K].
    """
    half = successes.shape[1] // 2
    progress = np.abs(successes[:, half:].mean(axis=1) - successes[:, :half].mean(axis=1))
    alike = np.full(len(successes), 1.0 / len(successes))
    total = progress.sum()
    return explore * alike + (1.0 - explore) * (progress / total if total else alike)
