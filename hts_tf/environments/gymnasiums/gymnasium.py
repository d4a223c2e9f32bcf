"""Environments of Gymnasium (Towers et al. 2024, arXiv 2407.17032), as gin binds them.

Gymnasium itself is imported inside functions: who trains on something else needs no such package.
"""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hts_tf import errors, specs, values
from hts_tf.configurables import configurable
from hts_tf.environments import base, checked
from hts_tf.environments.gymnasiums import registry

if TYPE_CHECKING:
    from hts_tf.environments.gymnasiums import building, environment, view

_NOT_IN_KWARGS = ("id", "max_episode_steps", "render_mode", "disable_env_checker")


class _Found(NamedTuple):
    """What is only known when an environment has been built."""

    spec: specs.EnvironmentSpec
    recipe: "building.Recipe"
    has_info_mask: bool


@configurable
@dataclasses.dataclass(frozen=True)
class Gymnasium:
    """Any environment that is registered with Gymnasium.

    Each episode begins with `reset(seed=its own)`. The score of an env step is the environment's
    reward as it is before `wrappers`; the reward is what comes out of them.

    Observations may be of any Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of
    these; see `spaces.observed`. Characters of keys that are no letter, digit, '_', '-' or '.'
    become '_'. Actions may be Discrete, MultiDiscrete, MultiBinary, or a Box of floats.

    Masks of permitted actions are what an observation's entry "action_mask" has, else what
    `info["action_mask"]` has at the first reset and in every step; see `masks.Mask`. They become
    the observation's entry `specs.ACTION_MASK`; an observation that is no Dict becomes
    {"observation": ..., "action_mask": ...}. An observation's entry "critic_state" is for values
    alone: policies do not see it, see `specs.CRITIC_STATE`.

    Attributes:
      id: as `gymnasium.make` takes it: 'CartPole-v1', 'ALE/Pong-v5', 'module:MyEnv-v0'. The module
        must have been imported (in a gin file: `import module`), unless it is in `hts_tf`,
        Gymnasium, ale_py, PettingZoo or mpe2.
      kwargs: keyword arguments of the environment.
      wrappers: from the inside to the outside: names in `gymnasium.wrappers`, in our `atari` or
        `entries`, 'module:Name', or pairs (name, {keyword: value}).
      max_episode_steps: episodes are truncated after so many env steps, as they are outside of the
        wrappers; None leaves them the environment's own limit.
      bounded_by: how any number becomes one within a Box of actions, see `specs.BoxSpec`.
      action_mask: use masks, where the environment gives them.
      history_free: see `specs.EnvironmentSpec`.
      figures: what `info` has of an episode in its last step, numbers by their keys, 'a/b' for
        `info["a"]["b"]`: shown as means over episodes, see `specs.EnvironmentSpec.figures`.

    Raises:
      ConfigError: nothing is registered under the id, a package is missing, a wrapper is none, or
        a module has not been imported.
    """

    id: str
    kwargs: dict[str, Any] | None = None
    wrappers: Sequence[str | Sequence[Any]] = ()
    max_episode_steps: values.Count | None = None
    bounded_by: Literal["clip", "tanh"] = "clip"
    action_mask: bool = True
    history_free: bool = True
    figures: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.kwargs or {}:
            if name in _NOT_IN_KWARGS or not isinstance(name, str):
                raise errors.ConfigError(f"Gymnasium.kwargs cannot have {name!r}")
        module, _ = registry.split(self.id)
        if module:
            registry.imported("id", module)
        registry.check_strings("kwargs", self.kwargs)
        registry.check_strings("wrappers", self.wrappers)
        registry.find(self.id)
        if self.wrappers:
            from hts_tf.environments.gymnasiums import wrapping

            wrapping.find(self.wrappers)

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Builds an environment, the first time, and resets it to see whether there are masks.

        It travels with this when pickled.

        Raises:
          ConfigError: it cannot be built, or has spaces that we do not serve.
        """
        return self._found.spec

    def make(self) -> "environment.GymnasiumEnvironment":
        """Builds one environment.

        Raises:
          ConfigError: it cannot be built.
          ProtocolError: it has other spaces than when it was built for the spec.
        """
        from hts_tf.environments.gymnasiums import environment

        found = self._found
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # when it was built for the spec, they were shown
            made = environment.GymnasiumEnvironment(found.recipe, found.has_info_mask)
        if made.spec != found.spec:
            made.close()
            raise checked.ProtocolError(
                f"Gymnasium.id = {self.id!r} has other spaces each time that it is built"
            )
        return made

    def watch(self, render: bool = False) -> "view.GymnasiumView":
        """Builds one that shows itself, always by its own renderer; see `base.Watchable`.

        Raises:
          ConfigError: it makes no pictures, or not here.
        """
        from hts_tf.environments.gymnasiums import view

        return view.GymnasiumView(self.id, self._found.recipe, self._found.has_info_mask)

    def check(self) -> list[str]:
        """Returns what Gymnasium's own checker has to say; see `base.Checkable`."""
        from hts_tf.environments.gymnasiums import building, checker

        return checker.complaints(building.bare(self._found.recipe))

    @functools.cached_property
    def _found(self) -> _Found:
        from hts_tf.environments.gymnasiums import building, environment, wrapping

        recipe = building.Recipe(
            registry.find(self.id),
            dict(self.kwargs or {}),
            wrapping.find(self.wrappers),
            self.max_episode_steps,
            self.bounded_by,
            self.action_mask,
            self.history_free,
            tuple(self.figures),
        )
        if why := base.why_it_stays(recipe):
            raise errors.ConfigError(
                f"Gymnasium.id = {self.id!r} cannot travel to executors, as its entry point or an "
                f"argument is no part of a module: {why}",
                page="your_own_environment.md#a-class",
            )
        built = environment.GymnasiumEnvironment(recipe)
        built.close()
        return _Found(built.spec, recipe, built.has_info_mask)
