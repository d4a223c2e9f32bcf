"""A gfootball engine that can start one episode after another of a scenario, quickly.

gfootball builds a new match for every episode, which takes as long as ten env steps or more.
But a match draws its random numbers anew when the ball is placed for the kick-off, so, unless
the scenario draws some, the state before that is the same for all seeds, and can be kept and
restored instead.
"""

from typing import TYPE_CHECKING

from hts_tf.environments.football.scenario import Scenario

if TYPE_CHECKING:
    import gfootball_engine
    from gfootball.env import config as gfootball_config

# Engines never free what they allocated, so a closed match leaves its engine to the next.
_idle_engines: list["gfootball_engine.GameEnv"] = []


class FootballMatch:
    """An engine, playing one scenario.

    Attributes:
      info: the engine's state when last asked, a `gfootball_engine.SharedInfo`.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Starts an engine, or takes over one that is idle.

        Args:
          scenario: to be played.
        """
        self._scenario = scenario
        self._engine = self._take_engine()
        self._sticky: dict[tuple[bool, int], list[bool]] = {}  # asked already, in this env step
        self._before_kick_off: bytes | None = None  # of any seed, if that is kept
        self.info: gfootball_engine.SharedInfo = None

    @property
    def rules(self) -> "gfootball_engine.ScenarioConfig":
        """What the scenario has set for this episode."""
        return self._engine.config

    def start(self, seed: int) -> None:
        """Starts an episode and plays up to the first decision."""
        engine = self._engine
        if self._before_kick_off is None or self._was_anyone_sent_off():
            setup = self._scenario.setup(seed)
            engine.reset(setup.config.ScenarioConfig(), False)
            if not setup.drawn:
                self._before_kick_off = engine.get_state("")
        else:
            engine.set_state(self._before_kick_off)
            if not engine.config.deterministic:
                engine.config.game_engine_random_seed = seed
        self.play()

    def perform(self, action: int, is_left: bool, player: int) -> None:
        """Has a side's controlled player take a (backend) action in the next `play`."""
        self._engine.perform_action(action, is_left, player)
        self._sticky.clear()

    def sticky(self, is_left: bool, player: int) -> list[bool]:
        """Returns which of the sticky actions a side's controlled player does."""
        found = self._sticky.get((is_left, player))
        if found is None:
            state = self._engine.sticky_action_state
            actions = self._scenario.sticky_actions
            found = [bool(state(action, is_left, player)) for action in actions]
            self._sticky[is_left, player] = found
        return found

    def play(self) -> None:
        """Plays to the next decision: one env step, or more to get over interruptions."""
        info = self._step_engine()
        while not info.is_in_play:
            info = self._step_engine()
        self.info = info

    def close(self) -> None:
        """Gives the engine away; the match must not be used any more."""
        _idle_engines.append(self._engine)
        del self._engine

    def _take_engine(self) -> "gfootball_engine.GameEnv":
        try:
            return _idle_engines.pop()
        except IndexError:
            return start_engine(self._scenario.config)

    def _step_engine(self) -> "gfootball_engine.SharedInfo":
        self._engine.step()
        self._sticky.clear()
        return self._engine.get_info()

    def _was_anyone_sent_off(self) -> bool:
        # Such players are taken apart; restoring them crashes the engine.
        teams = self.info.left_team, self.info.right_team
        return not all(team[index].is_active for team in teams for index in range(len(team)))


def start_engine(
    config: "gfootball_config.Config", render: bool = False
) -> "gfootball_engine.GameEnv":
    """Starts an engine; one that renders takes some ten seconds, and there may be only one."""
    import gfootball_engine

    engine = gfootball_engine.GameEnv()
    engine.game_config.physics_steps_per_frame = config["physics_steps_per_frame"]
    engine.game_config.render_resolution_x = config["render_resolution_x"]
    engine.game_config.render_resolution_y = config["render_resolution_y"]
    engine.game_config.render = render
    engine.start_game()
    return engine
