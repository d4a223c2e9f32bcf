"""How a Gymnasium environment is built, and what only one that has been built tells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import gymnasium

from hts_tf import errors
from hts_tf.environments import checked
from hts_tf.environments.gymnasiums import arguments, registry, wrapping

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

_SEED = 0  # of the reset that shows whether there are masks


class Recipe(NamedTuple):
    """How to build one.

    Attributes:
      registered: what `Gymnasium.id` stands for.
      kwargs: see `Gymnasium`.
      wrappers: see `wrapping.find`.
      max_episode_steps: see `Gymnasium`.
      bounded_by: see `Gymnasium`.
      action_mask: see `Gymnasium`.
      history_free: see `Gymnasium`.
      figures: see `Gymnasium`.
    """

    registered: "EnvSpec"
    kwargs: dict[str, Any]
    wrappers: Sequence[wrapping.Wrapper]
    max_episode_steps: int | None
    bounded_by: Literal["clip", "tanh"]
    action_mask: bool
    history_free: bool
    figures: tuple[str, ...]


def bare(recipe: Recipe) -> gymnasium.Env:
    """Builds an environment without the wrappers. Raises: ConfigError: it cannot be built."""
    return build(recipe._replace(wrappers=()), render_mode=None)[0]


def build(
    recipe: Recipe, render_mode: str | None
) -> tuple[gymnasium.Env, wrapping.RawReward | None]:
    """Returns an environment with its wrappers, and the rewards before these, if there are any."""
    kwargs = arguments.copied(recipe.kwargs, render_mode)
    env_id, family = recipe.registered.id, registry.family(recipe.registered)
    try:
        registry.quieten(family)
        env = gymnasium.make(
            recipe.registered,
            max_episode_steps=None if recipe.max_episode_steps is None else -1,
            disable_env_checker=True,  # `checked` does what can be done in every step
            **kwargs,
        )
    except (Exception, SystemExit) as error:
        reason = errors.in_a_line(error)
        is_missing = isinstance(error, (ImportError, gymnasium.error.DependencyNotInstalled))
        if is_missing and family != registry.GYMNASIUM:  # where Gymnasium itself says what to do
            raise registry.missing(env_id, family, reason) from error
        binding = f"Gymnasium.id = {env_id!r}"
        if recipe.kwargs:
            binding += f" with Gymnasium.kwargs = {recipe.kwargs!r:.80}"
        # Without the words that Gymnasium adds about who was called how.
        reason = reason.partition(" was raised from the environment")[0]
        raise errors.ConfigError(
            f"{binding} cannot be built: {type(error).__name__}: {reason}"
        ) from error
    raw_reward = wrapping.RawReward(env) if recipe.wrappers else None
    try:
        return wrapping.wrap(raw_reward or env, recipe.wrappers), raw_reward
    except BaseException:
        with checked.closing(env_id):
            env.close()
        raise


def first_info(env: gymnasium.Env, env_id: str) -> dict[str, Any]:
    """Returns what `info` is when an episode begins. Raises: ConfigError: none does."""
    try:
        _, info = env.reset(seed=_SEED)
    except (Exception, SystemExit) as error:
        raise errors.ConfigError(
            f"Gymnasium.id = {env_id!r} cannot be reset: {type(error).__name__}: "
            f"{errors.in_a_line(error)}"
        ) from error
    return info if isinstance(info, dict) else {}


def episode_steps(env: gymnasium.Env, registered: "EnvSpec") -> int:
    """Returns the most env steps that an episode can last.

    Wrappers may skip frames, but play at least one for each env step.

    Raises:
      ConfigError: there is no limit.
    """
    limits = []
    layer = env
    while isinstance(layer, gymnasium.Wrapper):
        if isinstance(layer, gymnasium.wrappers.TimeLimit):
            limits.append(layer._max_episode_steps)
        layer = layer.env
    if registry.family(registered) == registry.ATARI:
        frames = layer.spec.kwargs.get("max_num_frames_per_episode")
        skip = layer.spec.kwargs.get("frameskip", 1)
        least = min(skip) if isinstance(skip, (tuple, list)) else skip
        if frames:
            limits.append(-(-frames // least))
    if not limits:
        raise errors.ConfigError(
            f"Gymnasium.max_episode_steps must be bound: {registered.id} has no limit of its own",
            page="your_own_environment.md#what-it-may-not-do",
        )
    return min(limits)
