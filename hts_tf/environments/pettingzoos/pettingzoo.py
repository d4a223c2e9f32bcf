"""Parallel environments of PettingZoo (Terry et al. 2021, arXiv 2009.14471), as gin binds them.

PettingZoo itself is imported inside functions: who trains on something else needs no such package.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from hts_tf import errors, specs, values
from hts_tf.configurables import configurable
from hts_tf.environments import base, checked
from hts_tf.environments.gymnasiums import registry
from hts_tf.system import installation

if TYPE_CHECKING:
    from hts_tf.environments.pettingzoos import building, environment, view


@configurable
@dataclasses.dataclass(frozen=True)
class PettingZoo:
    """A parallel environment of PettingZoo: its possible agents are the players, in their order.

    Those that `rivals` names are on another side, whom `Trainer.opponents` may play; they are the
    last players.

    All of them share one policy, which may have parts for each (`by_agent`). Agents may leave
    before an episode is over, but not come later. Each episode begins with `reset(seed=its own)`;
    score and reward are both the agent's reward, but for the score of two sides.

    Spaces may differ from agent to agent where a shared policy can serve that: by bounds, or
    by the `start` of choices; vectors of floats are filled up with zeros to the longest one, and
    Discrete actions are masked to the agent's own (`specs.ACTION_MASK`). For other spaces see
    `Gymnasium`; masks are what the observations' entry "action_mask" has, or, where they have none,
    that of `infos[agent]`.

    Attributes:
      module: that has a function `parallel_env`, such as 'mpe2.simple_spread_v3'; it must have been
        imported (in a gin file: `import module`).
      kwargs: keyword arguments of the function.
      max_episode_steps: episodes are truncated after so many env steps; None takes the
        environment's own `max_cycles`.
      rivals: agents on the other side, such as ('adversary_0',). The score of a side is then half
        of what its mean reward is above the other's: its reward, if these add up to 0.
      agent_indicator: whether agents are told who they are: the observation's entry "agent", 0 to
        P - 1, in the order of its possible agents. They can then play different roles.
      critic_state: whether values, but not policies, also see the environment's `state()`; see
        `specs.CRITIC_STATE`.
      bounded_by: how any number becomes one within a Box of actions, see `specs.BoxSpec`.
      history_free: see `specs.EnvironmentSpec`.

    Raises:
      ConfigError: a package is missing, or the module is none of that kind.
    """

    module: str
    kwargs: dict[str, Any] | None = None
    max_episode_steps: values.Count | None = None
    rivals: Sequence[str] = ()
    agent_indicator: bool = False
    critic_state: bool = False
    bounded_by: Literal["clip", "tanh"] = "clip"
    history_free: bool = True

    def __post_init__(self) -> None:
        _check_installed()
        registry.check_strings("kwargs", self.kwargs, "PettingZoo")
        module = registry.imported("module", self.module, "PettingZoo")
        if not callable(getattr(module, "parallel_env", None)):
            raise errors.ConfigError(
                f"PettingZoo.module = {self.module!r} has no function parallel_env",
                page="your_own_environment.md#several-players",
            )

    @functools.cached_property
    def spec(self) -> specs.EnvironmentSpec:
        """Builds an environment, the first time. It travels with this when pickled.

        Raises:
          ConfigError: it cannot be built, or has spaces that we do not serve.
        """
        if why := base.why_it_stays(self):
            raise errors.ConfigError(f"PettingZoo.kwargs cannot travel to executors: {why}")
        built = self._build()
        built.close()
        return built.spec

    def make(self) -> "environment.PettingZooEnvironment":
        """Builds one environment.

        Raises:
          ConfigError: it cannot be built.
          ProtocolError: it has other agents or spaces than when it was built for the spec.
        """
        made = self._build()
        if made.spec != self.spec:
            made.close()
            raise checked.ProtocolError(
                f"PettingZoo.module = {self.module!r} has other agents or spaces each time that it "
                "is built"
            )
        return made

    def _build(self) -> "environment.PettingZooEnvironment":
        from hts_tf.environments.pettingzoos import environment

        return environment.PettingZooEnvironment(self._recipe)

    def watch(self, render: bool = False) -> "view.PettingZooView":
        """Builds one that shows itself, always by its own renderer; see `base.Watchable`.

        Raises:
          ConfigError: it makes no pictures, or not here.
        """
        from hts_tf.environments.pettingzoos import view

        return view.PettingZooView(self._recipe)

    def check(self) -> list[str]:
        """Returns what PettingZoo's own test has to say; see `base.Checkable`."""
        from hts_tf.environments.pettingzoos import building, checker

        env, _ = building.build(self._recipe)
        return checker.complaints(env)

    @property
    def _recipe(self) -> "building.Recipe":
        from hts_tf.environments.pettingzoos import building

        recipe = building.Recipe(*(getattr(self, name) for name in building.Recipe._fields))
        return recipe._replace(kwargs=dict(self.kwargs or {}), rivals=tuple(self.rivals))


def _check_installed() -> None:
    with installation.needing("pettingzoo", "PettingZoo"):
        import pettingzoo  # noqa: F401
