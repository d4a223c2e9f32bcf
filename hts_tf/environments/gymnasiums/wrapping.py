"""Wrappers by name, and the reward that there was before them."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium import wrappers

from hts_tf import configurables, errors
from hts_tf.environments.gymnasiums import atari, entries, registry

# With these, an episode would not be a function of its seed and actions.
_OF_EARLIER_EPISODES = {
    "NormalizeObservation": "its statistics are of earlier episodes",
    "NormalizeReward": "its statistics are of earlier episodes",
    "Autoreset": "it begins episodes by itself",
}

Wrapper = tuple[type[gymnasium.Wrapper], dict[str, Any]]


class _MaxAndSkip(wrappers.MaxAndSkipObservation):
    """Gymnasium's keeps frames of earlier episodes, seen where one ends within its first step."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """See base class."""
        seen, info = super().reset(**kwargs)
        self._obs_buffer[:] = seen
        return seen, info


_INSTEAD = {wrappers.MaxAndSkipObservation: _MaxAndSkip}


class RawReward(gymnasium.Wrapper):
    """Adds up rewards, for those who want to know what they were before further wrappers."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self._sum = 0.0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """See base class."""
        self._sum = 0.0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """See base class."""
        result = self.env.step(action)
        self._sum += result[1]
        return result

    def take(self) -> Any:
        """Returns the sum since the last call, or since the episode began."""
        taken, self._sum = self._sum, 0.0
        return taken


def find(names: Sequence[Any]) -> list[Wrapper]:
    """Finds wrappers, each with its keyword arguments.

    Args:
      names: see `Gymnasium.wrappers`; modules in them must have been imported.

    Raises:
      ConfigError: there is none of a name, or it is no wrapper.
    """
    return [_find(name) for name in names]


def split(wrapper: Any) -> tuple[str, Mapping[str, Any]]:
    """Returns a wrapper's name and keyword arguments. Raises: ConfigError: it is no such pair."""
    if isinstance(wrapper, str):
        return wrapper, {}
    match wrapper:
        case [str(name), dict(kwargs)] if all(isinstance(key, str) for key in kwargs):
            return name, kwargs
    raise errors.ConfigError(
        f"Gymnasium.wrappers: {configurables.shorten(repr(wrapper))} must be a name or "
        "(name, {keyword: value})",
        page="your_own_environment.md#what-is-served",
    )


def _find(wrapper: Any) -> Wrapper:
    name, kwargs = split(wrapper)
    module, attribute = registry.split(name)
    if module:
        place = registry.imported("wrappers", module)
        known = [key for key, value in vars(place).items() if _is_wrapper(value)]
    else:
        places = {key: place for place in (wrappers, atari, entries) for key in vars(place)}
        known = [key for key, place in places.items() if _is_wrapper(getattr(place, key))]
        place = places.get(attribute)
    found = getattr(place, attribute, None)
    if found is None:
        near = errors.nearest(attribute, known) if known else "the module has none"
        raise errors.ConfigError(f"Gymnasium.wrappers: there is no wrapper {name!r}; {near}")
    if not _is_wrapper(found):
        raise errors.ConfigError(
            f"Gymnasium.wrappers: {name!r} is not a wrapper, a subclass of gymnasium.Wrapper"
        )
    for refused, reason in _OF_EARLIER_EPISODES.items():  # by whatever name it was found
        if found is getattr(wrappers, refused, None):
            raise errors.ConfigError(
                f"Gymnasium.wrappers: {name} cannot be used, as {reason}, so episodes would not be "
                "functions of their seeds",
                page="your_own_environment.md#what-it-may-not-do",
            )
    return _INSTEAD.get(found, found), dict(kwargs)


def wrap(env: gymnasium.Env, found: Sequence[Wrapper]) -> gymnasium.Env:
    """Wraps an environment.

    Raises:
      ConfigError: a wrapper cannot be made.
    """
    for wrapper, kwargs in found:
        try:
            env = wrapper(env, **copy.deepcopy(kwargs))  # which it may take apart
        except Exception as error:
            shown = configurables.shorten(repr(kwargs)) if kwargs else "no arguments"
            raise errors.ConfigError(
                f"Gymnasium.wrappers: {wrapper.__name__} with {shown} cannot be made: "
                f"{errors.in_a_line(error)}"
            ) from error
    return env


def _is_wrapper(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, gymnasium.Wrapper)
