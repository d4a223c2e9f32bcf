"""What wrappers hide, although it is asked for: masks, and the ends that figures are told at."""

import math
import warnings

import gymnasium

from hts_tf.environments.gymnasiums import building, masks


def warn_of_masks(env_id: str, inside: gymnasium.Env | None) -> None:
    """Warns if masks are observed before the wrappers.

    Args:
      env_id: see `Gymnasium.id`.
      inside: the environment before them; None if there are none.
    """
    if inside is not None and masks.are_observed(inside.observation_space):
        warnings.warn(
            f"Gymnasium.id = {env_id!r} shows masks, which Gymnasium.wrappers hide, so any "
            "action may be chosen: leave out what flattens observations",
            stacklevel=2,
        )


def warn_of_limit(recipe: building.Recipe) -> None:
    """Warns if a wrapper is to tell figures of episodes, but does not see our limit end them."""
    limit = recipe.max_episode_steps
    if limit and (wrapper := _blind_to_limit(recipe)):
        warnings.warn(
            f"Gymnasium.max_episode_steps = {limit} ends episodes outside of the "
            f"wrappers, where {wrapper} does not see it, and tells no figures: put "
            f"('TimeLimit', {{'max_episode_steps': {limit}}}) before that wrapper",
            stacklevel=2,
        )


def _blind_to_limit(recipe: building.Recipe) -> str:
    """Returns the name of a wrapper that `warn_of_limit` is about; "" if there is none."""
    for wrapper, kwargs in recipe.wrappers:
        if issubclass(wrapper, gymnasium.wrappers.TimeLimit):
            if kwargs.get("max_episode_steps", math.inf) <= recipe.max_episode_steps:
                return ""
        elif issubclass(wrapper, gymnasium.wrappers.RecordEpisodeStatistics):
            told = kwargs.get("stats_key", "episode")
            if any(name.split("/")[0] == told for name in recipe.figures):
                return wrapper.__name__
    return ""
