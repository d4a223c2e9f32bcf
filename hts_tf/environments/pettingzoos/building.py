"""How a PettingZoo environment is built."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hts_tf import errors
from hts_tf.environments import checked
from hts_tf.environments.gymnasiums import arguments

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv


class Recipe(NamedTuple):
    """How to build one; see `pettingzoo.PettingZoo`."""

    module: str
    kwargs: dict[str, Any]
    max_episode_steps: int | None
    rivals: Sequence[str]
    history_free: bool
    agent_indicator: bool
    critic_state: bool
    bounded_by: Literal["clip", "tanh"]


def build(
    recipe: Recipe, render_mode: str | None = None
) -> tuple["ParallelEnv", dict[str, dict[str, Any]]]:
    """Builds PettingZoo's environment; returns it, and what `reset` tells of each agent.

    Raises:
      ConfigError: it cannot be built.
    """
    module = importlib.import_module(recipe.module)  # which `PettingZoo` permits
    kwargs = arguments.copied(recipe.kwargs, render_mode)
    env = None
    try:
        env = module.parallel_env(**kwargs)
        _, infos = env.reset(seed=0)  # some know their agents only then
    except (Exception, SystemExit) as error:
        if env is not None:
            with checked.closing(recipe.module):
                env.close()
        raise errors.ConfigError(
            f"PettingZoo.module = {recipe.module!r} cannot be built: {type(error).__name__}: "
            f"{errors.in_a_line(error)}"
        ) from error
    return env, infos
