"""Google Research Football, as gin binds it."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le

from hts_tf import errors, specs
from hts_tf.configurables import configurable
from hts_tf.environments.football import scenario, scenarios, super_mini_map
from hts_tf.environments.football.environment import FootballEnvironment

if TYPE_CHECKING:
    from hts_tf.environments.football import view

_NUM_ACTIONS = 19


@configurable
@dataclasses.dataclass(frozen=True)
class Football:
    """A football scenario in which the agent controls one player of the left team.

    Attributes:
      scenario: module name in `gfootball.scenarios`, e.g. "academy_3_vs_1_with_keeper".
      rewards: "scoring", +1 and -1 for goals, or "scoring,checkpoints", which also pays up to
        ten times 0.1 for bringing the ball to the opponent's goal.
      frames: how many super mini maps make one observation, 1 to 8.

    Raises:
      ConfigError: an attribute is not among these, or episodes of the scenario would not be
        functions of their seeds; see `scenario.Scenario`.
    """

    scenario: str
    rewards: Literal["scoring", "scoring,checkpoints"] = "scoring,checkpoints"
    frames: Annotated[int, Ge(1), Le(8)] = 4

    def __post_init__(self) -> None:
        known = scenarios.names()
        if not known:
            raise errors.ConfigError("gfootball is not installed; ./launch/setup.sh builds it")
        if self.scenario not in known:
            raise errors.ConfigError(
                f"Football.scenario = {self.scenario!r} is not a scenario of gfootball; "
                f"{errors.nearest(self.scenario, known)}"
            )
        scenario.load(self.scenario).check()

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Reads the scenario, but starts no engine."""
        return specs.EnvironmentSpec(
            observation=super_mini_map.spec(self.frames),
            action=specs.DiscreteSpec(num_values=_NUM_ACTIONS),
            max_episode_steps=scenario.load(self.scenario).max_episode_steps,
        )

    def make(self) -> FootballEnvironment:
        """Builds the environment; its engine (3 MB, the first 12) starts at the first reset."""
        return FootballEnvironment(self.scenario, self.rewards, self.frames)

    def watch(self, render: bool = False) -> "view.FootballView":
        """Builds one that shows itself; see `base.Watchable`."""
        from hts_tf.environments.football import view  # needs Pillow, which executors do without

        return view.FootballView(self.scenario, self.rewards, self.frames, render)
