"""Actions at random: each that an environment permits, whatever kind they are of."""

import math
from typing import Any

import numpy as np

from hts_tf import errors, specs, trees


def draw_for_all(
    spec: specs.EnvironmentSpec, observation: trees.Tree, random: np.random.Generator
) -> np.ndarray:
    """Returns an action for each player as environments get them, see `draw`."""
    if not spec.players:
        return draw(spec.action, observation, random)
    own = [trees.map(lambda x, p=p: x[p], observation) for p in range(spec.num_players)]
    return np.stack([draw(spec.action, seen, random) for seen in own])


def draw(spec: specs.ArraySpec, observation: trees.Tree, random: np.random.Generator) -> np.ndarray:
    """Returns an action as a policy might choose it, [...].

    Numbers of a box that is clipped lie within its bounds, where it has any; all other numbers are
    from the standard normal distribution.

    Args:
      spec: of the environment's actions.
      observation: that the action answers; its `specs.ACTION_MASK`, if it has one, is kept to.
      random: where it is drawn from.

    Raises:
      ConfigError: it is not known what such actions may be.
    """
    mask = specs.action_mask_of(observation)
    if isinstance(spec, specs.DiscreteSpec):
        values: Any = _one_of(spec.num_values, mask, random)
    elif isinstance(spec, specs.MultiDiscreteSpec):
        ends = np.cumsum(spec.num_values)[:-1]
        masks = [None] * len(spec.num_values) if mask is None else np.split(mask.ravel(), ends)
        values = [_one_of(*each, random) for each in zip(spec.num_values, masks, strict=True)]
    elif spec.dtype == "bool":
        values = random.random(spec.shape) < 0.5
    elif np.dtype(spec.dtype).kind == "f":
        values = random.standard_normal(math.prod(spec.shape))
        if isinstance(spec, specs.BoxSpec) and spec.bounded_by == "clip":
            low, high = np.array(spec.low), np.array(spec.high)
            bounded = np.isfinite(low) & np.isfinite(high)
            values[bounded] = random.uniform(low[bounded], high[bounded])
    else:
        raise errors.ConfigError(f"actions of {spec.dtype} need a spec that says what they may be")
    return np.array(values, spec.dtype).reshape(spec.shape)


def _one_of(num_values: int, mask: np.ndarray | None, random: np.random.Generator) -> int:
    permitted = np.arange(num_values) if mask is None else np.flatnonzero(mask)
    if not len(permitted):  # of a player who has left
        permitted = np.arange(num_values)
    return permitted[random.integers(len(permitted))]
