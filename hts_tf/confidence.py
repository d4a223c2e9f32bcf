"""How sure the means of a policy's episodes are."""

from collections.abc import Sequence

import numpy as np

from hts_tf.files.archive import Record

_BOOTSTRAPS = 1000  # times that episodes are drawn again


def interval(values: np.ndarray) -> tuple[float, float]:
    """Returns where the mean of ever more episodes is likely to be, with 95 % confidence.

    Args:
      values: [episodes], such as scores.

    Returns:
      The lower and the upper end, by the bootstrap's percentiles (Efron 1979); the same for the
      same values.
    """
    random = np.random.default_rng(0)
    means = [random.choice(values, len(values)).mean() for _ in range(_BOOTSTRAPS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def between(values: np.ndarray) -> str:
    """Says the interval of a mean in words; equal values have none that says anything."""
    if (values == values[0]).all():
        return "no interval, as all are the same"
    low, high = interval(values)
    return f"95 % interval {low:.3f} to {high:.3f}"


def described(episodes: Sequence[Record]) -> str:
    """Says on one line how a policy has played: the means of its episodes."""
    scores = np.array([episode.score for episode in episodes])
    score = f"score {scores.mean():.3f} ({between(scores)})"
    return f"{score}, return {np.mean([episode.episode_return for episode in episodes]):.2f}"
