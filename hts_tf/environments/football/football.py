"""Google Research Football, as gin binds it."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Le

from hts_tf import errors, specs, trees, values
from hts_tf.configurables import configurable
from hts_tf.environments.football import action_masks, scenario, scenarios, simple115v2
from hts_tf.environments.football.environment import REPRESENTATIONS, FootballEnvironment, Game
from hts_tf.system import installation

if TYPE_CHECKING:
    from hts_tf.environments.football import view

_Players = Annotated[int, Ge(0), Le(scenario.MAX_TEAM_SIZE)] | Literal["all"]


@configurable
@dataclasses.dataclass(frozen=True)
class Football:
    """A football scenario, of which some players are controlled: these are its players.

    Each has an observation of its own: as if it were on the left, with its own position marked.

    Attributes:
      scenario: module name in `gfootball.scenarios`, e.g. "academy_3_vs_1_with_keeper".
      rewards: "scoring", +1 and -1 for goals, or "scoring,checkpoints", which also pays up to
        ten times 0.1 for bringing the ball to the opponent's goal.
      frames: how many make one observation, 1 to 8, the oldest first; None takes 4 of maps, as the
        paper does, and 1 of floats, in which motions are.
      representation: what a frame is: "extracted", a super mini map, see `super_mini_map.spec`; or
        "simple115v2", floats of gfootball's, see `simple115v2.encode`; or "relative", floats of
        ours, see `relative.encode`.
      left_players: of the left team that are controlled, 0 to 11, or 'all' that can be (in 5_vs_5
        all but the goalkeeper); the engine's own AI plays the others. A single one is whoever is
        nearest to the ball.
      right_players: of the right team, the same.
      left_difficulty: how able the left team is, 0 to 1; None leaves what the scenario sets (1 if
        it sets nothing). gfootball's AI plays by the same rules at all difficulties, but its
        players are slower and less skilled: abilities are multiplied by 0.3 + 0.7 * difficulty.
        Those of controlled players are, too.
      right_difficulty: of the right team, the same (0.6 if the scenario sets nothing).
      checkpoint_weight: what checkpoint rewards are multiplied by; goals and scores are not.
      shared_reward: whether the players of a side all get the mean of their rewards.
      action_mask: whether actions that make no sense cannot be chosen, see `action_masks.encode`.
      shots_in_front: whether, with these masks, shots can be chosen in front of the goal alone.
      first_time_shots: whether, there, they can be chosen before the ball has come, too.
      critic_state: whether values, but not policies, also see `simple115v2.encode`: a central
        critic, see `specs.CRITIC_STATE`. Of use where observations do not tell all, or where the
        value is to be learnt from other numbers than the policy.

    Raises:
      ConfigError: an attribute is not among these, the scenario has fewer players, or its episodes
        would not be functions of their seeds; see `scenario.Scenario`.
    """

    scenario: str
    rewards: Literal["scoring", "scoring,checkpoints"] = "scoring,checkpoints"
    frames: Annotated[int, Ge(1), Le(8)] | None = None
    representation: Literal["extracted", "simple115v2", "relative"] = "extracted"
    left_players: _Players = 1
    right_players: _Players = 0
    left_difficulty: values.Fraction | None = None
    right_difficulty: values.Fraction | None = None
    checkpoint_weight: values.Cost = 1.0
    shared_reward: bool = False
    action_mask: bool = False
    shots_in_front: bool = False
    first_time_shots: bool = False
    critic_state: bool = False

    def __post_init__(self) -> None:
        if self.frames is None:
            object.__setattr__(self, "frames", 4 if self.representation == "extracted" else 1)
        known = scenarios.names()
        if not known:
            raise errors.ConfigError(
                f"gfootball is not installed; to build it: {installation.football_command()}"
            )
        if self.scenario not in known:
            raise errors.ConfigError(
                f"Football.scenario = {self.scenario!r} is not a scenario of gfootball; "
                f"{errors.nearest(self.scenario, known)}"
            )
        if not sum(self.players):
            raise errors.ConfigError(
                "Football.left_players and Football.right_players are both 0: nobody would learn"
            )
        if self.checkpoint_weight != 1.0 and self.rewards == "scoring":
            raise errors.ConfigError(
                f"Football.checkpoint_weight = {self.checkpoint_weight} weighs nothing: "
                "Football.rewards = 'scoring' pays for no checkpoints",
                page="football.md#rewards",
            )
        for name, needed in (
            ("shots_in_front", "action_mask"),
            ("first_time_shots", "shots_in_front"),
        ):
            if getattr(self, name) and not getattr(self, needed):
                raise errors.ConfigError(
                    f"Football.{name} = True needs Football.{needed} = True",
                    page="football.md#actions",
                )
        self._loaded.check()

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Reads the scenario, but starts no engine."""
        observation: trees.Tree = REPRESENTATIONS[self.representation].spec(self.frames)
        further = {}
        if self.action_mask:
            further[specs.ACTION_MASK] = specs.ArraySpec((action_masks.NUM_ACTIONS,), "bool")
        if self.critic_state:
            further[specs.CRITIC_STATE] = simple115v2.spec(frames=1)
        return specs.EnvironmentSpec(
            observation={"player": observation, **further} if further else observation,
            action=specs.DiscreteSpec(num_values=action_masks.NUM_ACTIONS),
            max_episode_steps=self._loaded.max_episode_steps,
            num_players=sum(self.players),
            num_rivals=self.players[1] if self.players[0] else 0,
            in_threads=True,  # engines share nothing, and release the GIL while they work
        )

    @property
    def _loaded(self) -> scenario.Scenario:
        difficulties = self.left_difficulty, self.right_difficulty
        return scenario.load(self.scenario, *self.players, *difficulties)

    @property
    def players(self) -> tuple[int, int]:
        """How many players of the left and of the right team are controlled."""
        wanted = self.left_players, self.right_players
        if "all" not in wanted:
            return wanted
        there = scenario.load(self.scenario).controllable
        left, right = (n if w == "all" else w for w, n in zip(wanted, there, strict=True))
        return left, right

    def make(self) -> FootballEnvironment:
        """Builds the environment; its engine (3 MB, the first 12) starts at the first reset."""
        return FootballEnvironment(self._game)

    def watch(self, render: bool = False) -> "view.FootballView":
        """Builds one that shows itself; see `base.Watchable`."""
        from hts_tf.environments.football import view  # needs Pillow, which executors do without

        return view.FootballView(self._game, render)

    @property
    def _game(self) -> Game:
        left, right = self.players
        game = Game(*(getattr(self, name) for name in Game._fields))
        return game._replace(left_players=left, right_players=right)  # "all" in numbers
