"""How long an interval should take, from the distribution of step times alone.

With n environments whose step times X are independent, each with a processor of its own, an
interval of alpha steps of each lasts (Liu et al. 2020, arXiv 2012.09849, section 4)
  hts:   E[max over n of (X_1 + ... + X_alpha)], as only the interval's end waits for the slowest,
  sync:  alpha E[max over n of X], as every step does.
The time of everything else is taken as nothing: actors, learner, hand-over.
"""

import math
from collections.abc import Callable

import numpy as np

from hts_tf.environments import synthetic

SCHEDULES = ("hts", "sync")

_DRAWS_AT_ONCE = 1 << 20


def expected_sec(
    schedule: str,
    draw_step_sec: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray],
    num_envs: int,
    sync_interval: int,
    repeats: int = 2000,
) -> float:
    """Returns the mean over so many simulated intervals, in seconds.

    Args:
      schedule: 'hts' or 'sync'.
      draw_step_sec: (generator, shape) -> durations of env steps, in seconds.
      num_envs: n.
      sync_interval: alpha.
      repeats: the standard error shrinks with their root: well below 1 % for steps of finite
        variance.
    """
    random = np.random.default_rng(0)
    at_once = max(1, _DRAWS_AT_ONCE // (num_envs * sync_interval))
    seconds = []
    for start in range(0, repeats, at_once):
        size = (min(at_once, repeats - start), num_envs, sync_interval)
        steps = draw_step_sec(random, size)
        if schedule == "hts":
            seconds.append(steps.sum(axis=2).max(axis=1))
        else:
            seconds.append(steps.max(axis=1).sum(axis=1))
    return float(np.concatenate(seconds).mean())


def formula_sec(game: synthetic.Synthetic, num_envs: int, sync_interval: int) -> float | None:
    """Returns what extreme-value theory says about `hts`, in seconds; see `expected_sec`.

    The sum of alpha gamma-distributed times is gamma-distributed, too, and with F its distribution
    function the mean of the largest of n is about (1 - g) F^-1(1 - 1/n) + g F^-1(1 - 1/(n e)), g
    the Euler-Mascheroni constant. Of one it is that of all.

    Returns:
      None where the formula does not hold: 'pareto' has too heavy a tail.
    """
    if game.step_time == "constant" or num_envs == 1:  # the largest of one
        return sync_interval * game.mean_step_sec
    if game.step_time == "pareto":
        return None
    import tensorflow_probability as tfp  # takes seconds, and the rest needs none of it

    shape = game.gamma_shape if game.step_time == "gamma" else 1.0
    quantiles = tfp.math.igammainv(
        np.float64(shape * sync_interval), 1.0 - np.array([1.0, math.exp(-1.0)]) / num_envs
    ).numpy()
    weights = np.array([1.0 - np.euler_gamma, np.euler_gamma])
    return float(game.mean_step_sec / shape * (weights @ quantiles))
