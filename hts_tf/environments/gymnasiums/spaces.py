"""Gymnasium's spaces as specs, and how observations and actions get from one to the other."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from hts_tf import configurables, errors, specs, trees

_OBSERVED = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of these"
_PLAYED = "Discrete, MultiDiscrete, MultiBinary, and Box of floats"
_FLOATS = ("float16", "float32", "float64")
_NUMBERS_SHOWN = 8
_LARGEST = float(np.finfo(np.float32).max)  # of an action that is stored


class Observed(NamedTuple):
    """How observations of a space are handed over.

    Attributes:
      spec: of them.
      write: writes one (first argument) into arrays of the spec; ValueError, TypeError, KeyError or
        IndexError: it is not of the space.
    """

    spec: trees.Tree
    write: Callable[[Any, trees.Tree], None]


class Played(NamedTuple):
    """How actions of a space are played.

    Attributes:
      spec: of them.
      action: returns what the environment plays for one of the spec, within its bounds.
    """

    spec: specs.ArraySpec
    action: Callable[[Any], Any]

    def shown(self, action: Any) -> str:
        """Returns the numbers that the environment plays for one, at most the first few."""
        is_box = isinstance(self.spec, specs.BoxSpec)
        numbers = np.ravel(self.action(self.spec.bounded(action) if is_box else action))
        kind = ".1f" if is_box else "d"
        shown = " ".join(f"{number:{kind}}" for number in numbers[:_NUMBERS_SHOWN])
        return f"{shown} ..." if len(numbers) > _NUMBERS_SHOWN else shown


def observed(space: spaces.Space, name: str = "observation") -> Observed:
    """Translates a space of observations.

    A Box of uint8 up to 255 has the scale 1 / 255. Images are stored as [height, width, channels]:
    - [height, width] of uint8 gets an axis of one channel;
    - of three axes, the first one is the channels', as `FrameStackObservation` makes of grey
      pictures, if it is shorter than both of the others;
    - of four axes, the first one is the frames', as it makes of pictures in colour. Each has its
      channels last, or first, if one of these axes is shorter than both of the others.
    What is no image, but looks like one, comes to no harm: it is only written in another order.

    Args:
      space: of one observation.
      name: of the place, for messages.

    Raises:
      ConfigError: such spaces are not served.
    """
    match space:
        case spaces.Dict():
            return _dict(space, name)
        case spaces.Tuple():
            return _tuple(space, name)
        case spaces.Discrete():
            return _discrete(space)
        case spaces.MultiDiscrete():
            return _multi_discrete(space)
        case spaces.MultiBinary():
            return _multi_binary(space, name)
        case spaces.Box():
            return _box(space, name)
    raise _refusal(name, space, _OBSERVED)


def played(
    space: spaces.Space, bounded_by: Literal["clip", "tanh"], owner: str = "Gymnasium"
) -> Played:
    """Translates a space of actions.

    Args:
      space: of one action.
      bounded_by: of a Box, see `specs.BoxSpec`.
      owner: the configurable that says so.

    Raises:
      ConfigError: such spaces are not served.
    """
    match space:
        case spaces.Discrete():
            kind, start = space.dtype.type, int(space.start)
            spec = specs.DiscreteSpec(num_values=int(space.n))
            return Played(spec, lambda action: kind(start + action))
        case spaces.MultiDiscrete():
            start, kind = space.start, space.dtype
            spec = specs.MultiDiscreteSpec(space.shape, num_values=_numbers(space))
            return Played(spec, lambda action: (start + action).astype(kind, copy=False))
        case spaces.MultiBinary() if math.prod(space.shape) > 0:
            kind = space.dtype
            return Played(
                specs.ArraySpec(space.shape, "bool"), lambda action: np.array(action, kind)
            )
        case spaces.Box() if space.dtype.name in _FLOATS and math.prod(space.shape) > 0:
            return _box_action(space, bounded_by, owner)
    raise _refusal("action", space, _PLAYED)


def values(space: spaces.Space) -> Sequence[int] | None:
    """Returns how many values each number of a discrete action has; None for other actions."""
    match space:
        case spaces.Discrete():
            return (int(space.n),)
        case spaces.MultiDiscrete():
            return _numbers(space)
    return None


def _refusal(name: str, space: Any, served: str) -> errors.ConfigError:
    shown = configurables.shorten(repr(space))
    return errors.ConfigError(
        f"the {name} space {shown} is not served: {served} are",
        page="your_own_environment.md#what-is-served",
    )


def _box_action(space: spaces.Box, bounded_by: Literal["clip", "tanh"], owner: str) -> Played:
    def stored(bounds: np.ndarray) -> tuple[float, ...]:
        # What float32 has no number for is as good as infinite.
        bounds = bounds.ravel().astype(float)
        return tuple(
            np.where(np.abs(bounds) > _LARGEST, np.copysign(np.inf, bounds), bounds).tolist()
        )

    try:
        spec = specs.BoxSpec(
            space.shape, low=stored(space.low), high=stored(space.high), bounded_by=bounded_by
        )
    except errors.ConfigError as error:
        shown = configurables.shorten(repr(space))
        raise errors.ConfigError(
            f"{owner}.bounded_by = {bounded_by!r} does not go with {shown}: {error}"
        ) from None
    low, high, kind, shape = space.low, space.high, space.dtype, space.shape

    def action(numbers: Any) -> np.ndarray:
        # Once more, as rounding to or from float32 may lead past a bound; it makes a copy, too.
        return np.asarray(np.clip(np.asarray(numbers, kind).reshape(shape), low, high))

    return Played(spec, action)


def _dict(space: spaces.Dict, name: str) -> Observed:
    parts = {}
    for key, part in space.items():
        ours = re.sub(r"[^\w.-]", "_", str(key))
        is_taken = ours in (other for other, _ in parts.values())
        means_something = ours in (specs.ACTION_MASK, specs.CRITIC_STATE) and ours != key
        if not ours or is_taken or means_something:
            raise errors.ConfigError(
                f"the {name} space has a key {key!r} that needs another name",
                page="your_own_environment.md#what-is-served",
            )
        parts[key] = ours, observed(part, f"{name}/{ours}")
    if not parts:
        raise errors.ConfigError(f"the {name} space, {space}, holds nothing")
    writers = [(key, ours, part.write) for key, (ours, part) in parts.items()]

    def write(value: Any, arrays: trees.Tree) -> None:
        for key, ours, write_part in writers:
            write_part(value[key], arrays[ours])

    return Observed({ours: part.spec for ours, part in parts.values()}, write)


def _tuple(space: spaces.Tuple, name: str) -> Observed:
    parts = [observed(part, f"{name}/{number}") for number, part in enumerate(space)]
    if not parts:
        raise errors.ConfigError(f"the {name} space, {space}, holds nothing")

    def write(value: Any, arrays: trees.Tree) -> None:
        for part, each, array in zip(parts, value, arrays, strict=True):
            part.write(each, array)

    return Observed(tuple(part.spec for part in parts), write)


def _discrete(space: spaces.Discrete) -> Observed:
    start, number = int(space.start), int(space.n)

    def write(value: Any, array: np.ndarray) -> None:
        shown = operator.index(value) - start
        if not 0 <= shown < number:
            raise ValueError(f"has {value}, which is not in {space}")
        array[...] = shown

    return Observed(specs.DiscreteSpec(num_values=number), write)


def _multi_discrete(space: spaces.MultiDiscrete) -> Observed:
    start, numbers = space.start, space.nvec

    def write(value: Any, array: np.ndarray) -> None:
        shown = _shaped(value, space.shape, "biu") - start
        if ((shown < 0) | (shown >= numbers)).any():
            raise ValueError(f"has {np.asarray(value).tolist()}, which is not in {space}")
        array[...] = shown

    return Observed(specs.MultiDiscreteSpec(space.shape, num_values=_numbers(space)), write)


def _numbers(space: spaces.MultiDiscrete) -> tuple[int, ...]:
    return tuple(map(int, space.nvec.ravel()))


def _multi_binary(space: spaces.MultiBinary, name: str) -> Observed:
    if not math.prod(space.shape):
        raise _refusal(name, space, _OBSERVED)
    return Observed(specs.ArraySpec(space.shape, "bool"), _writer(space.shape, np.dtype(bool)))


def _box(space: spaces.Box, name: str) -> Observed:
    dtype, shape = space.dtype, space.shape
    if not math.prod(shape) or (dtype.kind == "f" and dtype.name not in _FLOATS):
        raise _refusal(name, space, _OBSERVED)
    is_bytes = dtype == np.uint8
    scale = 1 / 255 if is_bytes and (space.high == 255).all() else 1.0
    leading = _axes_before_an_image(shape)
    if leading:
        height, width, *rest = shape[leading:]
        stored = height, width, math.prod((*shape[:leading], *rest))
        if height < min(stored[1:]):  # lying on its side: else that would be taken for channels
            stored = width, height, stored[2]
    else:
        stored = (*shape, 1) if is_bytes and len(shape) == 2 else shape
    copy = np.copyto if stored == shape else _copier(shape, leading, stored)
    return Observed(specs.ArraySpec(stored, dtype.name, scale), _writer(shape, dtype, copy))


def _axes_before_an_image(shape: tuple[int, ...]) -> int:
    """Returns how many axes stand before [height, width, ...]; 0 also for what is no image."""
    if len(shape) == 3 and shape[0] < min(shape[1:]):
        return 1
    if len(shape) == 4:
        if shape[3] < min(shape[1:3]):
            return 1
        if shape[1] < min(shape[2:]):
            return 2
    return 0


def _copier(
    shape: tuple[int, ...], leading: int, stored_shape: tuple[int, ...]
) -> Callable[[np.ndarray, np.ndarray], None]:
    """Returns what copies an array of a shape (second argument) to where it is stored."""
    if not leading:
        return lambda stored, given: np.copyto(stored.reshape(shape), given)
    before, height, rest = shape[:leading], shape[leading], shape[leading + 2 :]
    # One image after the other: a third of the time that one transposition takes.
    places = [(slice(None), slice(None), *place) for place in np.ndindex(*before)]

    def copy(stored: np.ndarray, given: np.ndarray) -> None:
        parts = stored.reshape(*stored_shape[:2], *before, *rest)
        if stored_shape[0] != height:
            parts = parts.swapaxes(0, 1)
        for place in places:
            parts[place] = given[place[2:]]

    return copy


def _writer(
    shape: tuple[int, ...],
    dtype: np.dtype,
    copy: Callable[[np.ndarray, np.ndarray], None] = np.copyto,
) -> Callable[[Any, np.ndarray], None]:
    def write(value: Any, array: np.ndarray) -> None:
        # The usual case first: this is done in every env step.
        if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
            copy(array, value)
            return
        given = _shaped(value, shape, "biuf")
        converted = given.astype(dtype)
        if dtype.kind != "f" and (given != converted).any():
            raise ValueError(f"has {given.dtype.name} that are no {dtype.name}")
        copy(array, converted)

    return write


def _shaped(value: Any, shape: tuple[int, ...], kinds: str) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != shape or array.dtype.kind not in kinds:
        raise ValueError(f"has {array.dtype.name} {array.shape} where its space has {shape}")
    return array
