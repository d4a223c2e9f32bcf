"""Which keys a person plays an environment with."""

import string
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hts_tf import errors, specs

UP, DOWN, LEFT, RIGHT, SPACE, ESCAPE = "up", "down", "left", "right", "space", "escape"

# Of games whose actions have names: football's, and Atari's.
_PREFERRED = {
    **dict.fromkeys(("top", "up"), UP),
    **dict.fromkeys(("bottom", "down"), DOWN),
    "left": LEFT,
    "right": RIGHT,
    "fire": SPACE,
    **dict.fromkeys(("topleft", "upleft"), "q"),
    **dict.fromkeys(("topright", "upright"), "e"),
    **dict.fromkeys(("bottomleft", "downleft"), "z"),
    **dict.fromkeys(("bottomright", "downright"), "c"),
    "longpass": "a",
    "highpass": "w",
    "shortpass": "s",
    "shot": "d",
    "sprint": "f",
    "releasesprint": "g",
    "releasedirection": "r",
    "sliding": "x",
    "dribble": "v",
    "releasedribble": "b",
}
_IDLE = ("idle", "noop")
_PAIRS = [(LEFT, RIGHT), (DOWN, UP), ("a", "d"), ("s", "w")]  # less and more of a number
_FAR = 20.0  # whose tanh is 1
_FURTHER = string.digits[1:] + string.ascii_lowercase.replace("p", "")


class Keyboard(NamedTuple):
    """What keys do.

    Attributes:
      actions: key -> action, as the environment takes it.
      idle: the action while no key is pressed; None for the last one again.
      names: key -> what it does, in words.
    """

    actions: dict[str, Any]
    idle: Any
    names: dict[str, str]


def of(action: specs.ArraySpec, name: Callable[[Any], str]) -> Keyboard:
    """Returns the keys for actions of a spec.

    Args:
      action: the spec.
      name: of an action, in words, see `base.Watched.action_name`.

    Raises:
      ConfigError: such actions are too many for a keyboard.
    """
    if isinstance(action, specs.DiscreteSpec):
        return _of_choices([name(n) for n in range(action.num_values)])
    if isinstance(action, specs.BoxSpec) and np.prod(action.shape) <= len(_PAIRS):
        return _of_numbers(action)
    raise errors.ConfigError("its actions are none that a person can play with a keyboard")


def _of_choices(names: Sequence[str]) -> Keyboard:
    plain = [name.lower().replace("_", "").replace(" ", "") for name in names]
    idle = next((n for n, name in enumerate(plain) if name in _IDLE), None)
    keys: dict[str, int] = {}
    if len(names) == 2 and idle is None:
        keys = {LEFT: 0, RIGHT: 1}
    for number, name in enumerate(plain):
        is_digit = len(name) == 1 and name in string.digits
        wanted = name if is_digit else _PREFERRED.get(name)
        if wanted and wanted not in keys:
            keys[wanted] = number
    free = (key for key in _FURTHER if key not in keys)
    for number in range(len(names)):
        if number != idle and number not in keys.values():
            key = next(free, None)
            if key is None:
                raise errors.ConfigError(f"{len(names)} actions are too many for a keyboard")
            keys[key] = number
    return Keyboard(keys, idle, {key: names[n].replace("_", " ") for key, n in keys.items()})


def _of_numbers(action: specs.BoxSpec) -> Keyboard:
    low, high = (
        np.where(np.isfinite(b), b, s).ravel() for b, s in zip(action.bounds, (-1, 1), strict=True)
    )
    if action.bounded_by == "tanh":  # of which these are played as bounds
        low, high = np.full_like(low, -_FAR), np.full_like(high, _FAR)
    actions, names = {}, {}
    for number, keys in enumerate(_PAIRS[: len(low)]):
        for key, extreme in zip(keys, (low, high), strict=True):
            played = np.zeros(len(low), action.dtype)
            played[number] = extreme[number]
            actions[key] = played.reshape(action.shape)
            names[key] = f"number {number + 1}: {action.bounded(actions[key]).flat[number]:g}"
    return Keyboard(actions, np.zeros(action.shape, action.dtype), names)
