"""What an env step returns, in the one form in which it is worked with; else why it is none.

Imported by executor processes: numpy only.
"""

from typing import Any

import numpy as np

from hts_tf.environments import base

LARGEST = float(np.finfo(np.float32).max)  # rewards are kept as float32
NO_FIGURES = ()  # of which Python has but one


def _parts(result: Any) -> base.StepResult:
    """Returns what a result consists of. Raises: ValueError: it is none."""
    try:
        parts = base.StepResult(*result)
        if not isinstance(parts.figures, (tuple, list, np.ndarray)):  # such as Gymnasium's info
            raise TypeError
    except (TypeError, ValueError):
        raise ValueError(f"step returned {result!r:.80}, not a StepResult") from None
    return parts


def plain(result: Any, num_figures: int) -> base.StepResult:
    """Returns a result in its one form.

    Raises:
      ValueError: it means nothing.
    """
    reward, score, terminated, truncated, told = _parts(result)
    terminated, truncated = flag("terminated", terminated), flag("truncated", truncated)
    return base.StepResult(
        number("reward", reward),
        number("score", score),
        terminated,
        truncated and not terminated,
        figures(told, num_figures, terminated or truncated),
    )


def figures(told: Any, num_figures: int, is_over: bool) -> np.ndarray | tuple[()]:
    """Returns an episode's figures, [F] float32, or nothing where it is not over.

    Raises:
      ValueError: they are not as many numbers.
    """
    if not num_figures and told is not NO_FIGURES and np.size(told):
        raise ValueError(f"the figures are {told!r:.80}, but the spec names none")
    if not is_over or not num_figures:
        return NO_FIGURES
    parts = list(map(np.asarray, np.atleast_1d(told) if isinstance(told, np.ndarray) else told))
    # As of a reward, arrays of one element are numbers.
    if len(parts) != num_figures or any(p.size != 1 or p.dtype.kind not in "buif" for p in parts):
        raise ValueError(f"the figures are {told!r:.80}, not {num_figures} numbers")
    array = np.array([part.item() for part in parts])
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"the figures are {told!r:.80}, which are not finite as float32")
    return array.astype(np.float32)


def plain_arrays(result: Any, players: tuple[int, ...]) -> base.StepResult:
    """Returns a result of several players in its one form.

    Raises:
      ValueError: it means nothing.
    """
    reward, score, terminated, truncated, told = _parts(result)
    return base.StepResult(
        _numbers("reward", reward, players),
        _numbers("score", score, players),
        _flags("terminated", terminated, players),
        _flags("truncated", truncated, players),
        told,
    )


def _numbers(name: str, value: Any, players: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != players or array.dtype.kind not in "buif":
        raise ValueError(
            f"the {name} is {value!r:.80}, not a number for each of {players[0]} players"
        )
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"the {name} is {value!r:.80}, which is not finite as a float32")
    return array.astype(np.float32)


def _flags(name: str, value: Any, players: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != players or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"{name} is {value!r:.80}, not true or false for each of {players[0]} players"
        )
    return array.astype(bool)


def number(name: str, value: Any) -> float:
    """Returns a finite number, given as anything that is one: numpy's, an array of one element.

    Raises:
      ValueError: it is none; says of which name.
    """
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "buif":
        raise ValueError(f"the {name} is {value!r:.80}, not a number")
    found = float(array.item())
    if not -LARGEST <= found <= LARGEST:
        raise ValueError(f"the {name} is {found}, which is not finite as a float32")
    return found


def flag(name: str, value: Any) -> bool:
    """Returns whether something is true, given as anything that can be: True, 1, numpy's.

    Raises:
      ValueError: it is neither true nor false; says of which name.
    """
    array = np.asarray(value)
    if array.size != 1 or array.item() not in (0, 1):
        raise ValueError(f"{name} is {value!r:.80}, neither true nor false")
    return bool(array.item())
