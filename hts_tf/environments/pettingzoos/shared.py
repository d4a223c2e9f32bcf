"""What agents share whose spaces may differ: one policy, so one spec of what is seen, and done."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces as gymnasium_spaces

from hts_tf import configurables, errors, specs, trees
from hts_tf.environments.gymnasiums import spaces


def action(
    actions: Sequence[gymnasium_spaces.Space], kinds: Sequence[specs.ArraySpec], module: str
) -> specs.ArraySpec:
    """Returns the spec of what all agents do.

    Args:
      actions: the spaces of each.
      kinds: their specs.
      module: of the game, for messages.

    Raises:
      ConfigError: such spaces are not served together.
    """
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    if all(isinstance(kind, specs.DiscreteSpec) for kind in kinds):
        return max(kinds, key=lambda kind: kind.num_values)
    raise errors.ConfigError(
        f"PettingZoo.module = {module!r}: agents share a policy, which cannot serve "
        f"actions that differ as these do: {_listed(actions)}",
        page="your_own_environment.md#several-players",
    )


def observed(
    seen: list[gymnasium_spaces.Space],
) -> tuple[trees.Tree, list[Callable[[Any, trees.Tree], None]]]:
    """Returns the spec of what all agents observe, and what writes that of each.

    Raises:
      ConfigError: such spaces are not served together.
    """
    if all(space == seen[0] for space in seen):
        alike = spaces.observed(seen[0])
        return alike.spec, [alike.write] * len(seen)
    if all(
        isinstance(space, gymnasium_spaces.Box)
        and len(space.shape) == 1
        and space.dtype.kind == "f"
        for space in seen
    ):
        longest = max(seen, key=lambda space: space.shape[0])
        return spaces.observed(longest).spec, [_filled_up(space) for space in seen]
    each = [spaces.observed(space) for space in seen]
    if all(one.spec == each[0].spec for one in each):  # bounds and first numbers may differ
        return each[0].spec, [one.write for one in each]
    raise errors.ConfigError(
        "agents share a policy, which cannot serve observations that differ as these do: "
        f"{_listed(seen)}; vectors of floats may",
        page="your_own_environment.md#several-players",
    )


def _listed(different: list[gymnasium_spaces.Space]) -> str:
    return ", ".join(dict.fromkeys(configurables.shorten(repr(space)) for space in different))


def _filled_up(space: gymnasium_spaces.Box) -> Callable[[Any, np.ndarray], None]:
    """Returns what writes a vector to the beginning of a longer one, and zeros after it."""
    (length,) = space.shape
    if not length:
        return lambda value, array: array.fill(0)
    write_own = spaces.observed(space).write

    def write(value: Any, array: np.ndarray) -> None:
        write_own(value, array[:length])
        array[length:] = 0

    return write
