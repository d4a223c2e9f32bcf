"""Google Research Football, stepped at the engine instead of through its Python wrappers.

Observations, rewards and endings are bit for bit those of
`gfootball.env.create_environment(scenario, representation="extracted", stacked=True,
rewards=..., number_of_left_players_agent_controls=1)`. The rules transcribed here are those of
`FootballEnvCore`, `CheckpointRewardWrapper` and `FrameStack` in gfootball 2.10.2, without the
deep copies, conversions and traces that take as long as a third of the engine's own step.

gfootball is imported inside functions: it brings gym, OpenCV and the engine with it.
"""

import dataclasses
import difflib
import functools
import importlib.util
import pathlib
import pkgutil
from typing import TYPE_CHECKING

import gin
import numpy as np

from hts_tf import specs
from hts_tf.environments import base, checkpoint_reward, super_mini_map

if TYPE_CHECKING:
    import gfootball_engine
    from gfootball.env import config as gfootball_config

_REWARDS = ("scoring", "scoring,checkpoints")
_MAX_FRAMES = 8
_NUM_ACTIONS = 19

# Engines never free what they allocated, so a closed environment leaves its engine to the next.
_idle_engines: list["gfootball_engine.GameEnv"] = []


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Football:
    """A football scenario in which the agent controls one player of the left team.

    Attributes:
      scenario: module name in `gfootball.scenarios`, e.g. "academy_3_vs_1_with_keeper".
      rewards: "scoring", +1 and -1 for goals, or "scoring,checkpoints", which also pays up to
        ten times 0.1 for bringing the ball to the opponent's goal.
      frames: how many super mini maps make one observation, 1 to 8.

    Raises:
      ValueError: an attribute is not among these; the message names the gin binding.
    """

    scenario: str
    rewards: str = "scoring,checkpoints"
    frames: int = 4

    def __post_init__(self) -> None:
        scenarios = _scenarios()
        if self.scenario not in scenarios:
            nearest = difflib.get_close_matches(str(self.scenario), scenarios, n=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(map(repr, nearest))}? " if nearest else ""
            raise ValueError(
                f"Football.scenario = {self.scenario!r} is not a scenario of gfootball; "
                f"{hint}(all: {', '.join(scenarios)})"
            )
        if self.rewards not in _REWARDS:
            raise ValueError(f"Football.rewards = {self.rewards!r} is not one of {_REWARDS}")
        if self.frames not in range(1, _MAX_FRAMES + 1):
            raise ValueError(f"Football.frames = {self.frames!r} is not in 1 to {_MAX_FRAMES}")

    @property
    def spec(self) -> specs.EnvironmentSpec:
        """Reads the scenario, but starts no engine."""
        return specs.EnvironmentSpec(
            observation=super_mini_map.spec(self.frames),
            num_actions=_NUM_ACTIONS,
            max_episode_steps=_max_episode_steps(self.scenario),
        )

    def make(self) -> "FootballEnvironment":
        """Builds the environment, with an engine that does not render."""
        return FootballEnvironment(self)


class FootballEnvironment:
    """A football engine and the rules around it; see `base.Environment`.

    Not thread-safe: after a reset, step from the thread that called it. Environments in other
    threads do not disturb, and the engine releases the GIL while it works.
    """

    def __init__(self, config: Football) -> None:
        import gfootball_engine
        from gfootball.env import football_action_set as actions

        self._config = _engine_config(config.scenario)
        rules = self._config.ScenarioConfig()
        self._ends_on_score: bool = rules.end_episode_on_score
        self._ends_out_of_play: bool = rules.end_episode_on_out_of_play
        self._ends_on_possession_change: bool = rules.end_episode_on_possession_change
        self._game_duration: int = rules.game_duration
        self._normal_mode = gfootball_engine.e_GameMode.e_GameMode_Normal
        self._actions = [a._backend_action for a in actions.get_action_set(self._config)]
        self._short_pass = actions.action_short_pass._backend_action
        self._idle = actions.action_idle._backend_action
        self._left = actions.action_left._backend_action
        self._right = actions.action_right._backend_action

        self._stack = np.empty(super_mini_map.spec(config.frames).shape, np.uint16)
        self._checkpoint_reward = (
            checkpoint_reward.CheckpointReward() if "checkpoints" in config.rewards else None
        )
        self._running = False
        self._engine = _idle_engines.pop() if _idle_engines else _start_engine(self._config)

    def reset(self, seed: int, observation: np.ndarray) -> None:
        """Starts the episode with this seed; see `base.Environment.reset`."""
        config = self._config
        config["game_engine_random_seed"] = int(seed)
        # Whatever gfootball would otherwise decide once (which team is processed first) or count
        # (11_vs_11 has the teams swap line-ups every other episode) comes from the seed as well:
        # an episode must not depend on earlier ones. Bit 0 tells training from evaluation seeds.
        config["reverse_team_processing"] = bool((seed >> 1) & 1)
        config["episode_number"] = int((seed >> 2) & 1)
        config.NewScenario(inc=0)

        self._engine.reset(config.ScenarioConfig(), False)
        info = self._engine.get_info()
        if not info.is_in_play:
            info = self._play()
        self._info = info
        self._goal_difference = 0
        self._previous_mode = None
        self._previous_owner = -1
        self._steps_out_of_play = 0
        if self._checkpoint_reward:
            self._checkpoint_reward.reset()
        self._running = True

        self._stack[:] = _pixels(info)
        observation[:] = self._stack

    def step(self, action: int, observation: np.ndarray) -> base.StepResult:
        """Plays one env step; see `base.Environment.step`.

        Raises:
          RuntimeError: there is no running episode.
        """
        if not self._running:
            raise RuntimeError("the episode has ended or never began: call reset() before step()")
        self._engine.perform_action(self._permitted(action), True, 0)
        info = self._info = self._play()

        goal_difference = info.left_goals - info.right_goals
        goal_reward = goal_difference - self._goal_difference
        self._goal_difference = goal_difference
        terminated = self._ends_by_rule(info)
        truncated = not terminated and info.step >= self._game_duration
        self._running = not (terminated or truncated)

        reward = float(goal_reward)
        if self._checkpoint_reward:
            ball = _point(info.ball_position) if _agent_has_ball(info) else None
            reward = self._checkpoint_reward(goal_reward, ball)

        stack = self._stack
        stack[:-1] = stack[1:]
        stack[-1] = _pixels(info)
        observation[:] = stack
        return base.StepResult(reward, float(goal_reward), terminated, truncated)

    def close(self) -> None:
        """Leaves the engine to the next environment of this process; may be called twice."""
        self._running = False
        if self._engine is not None:
            _idle_engines.append(self._engine)
            self._engine = None

    def _play(self) -> "gfootball_engine.SharedInfo":
        """Steps the engine until the agent's next decision: interruptions are skipped."""
        engine = self._engine
        engine.step()
        info = engine.get_info()
        while not info.is_in_play:
            engine.step()
            info = engine.get_info()
        return info

    def _permitted(self, action: int) -> int:
        """Returns the engine's number of an action, or of another if play has to be resumed.

        A team that takes too long over a free kick, corner or the like is made to play the ball.
        """
        if self._steps_out_of_play < 20:
            return self._actions[action]
        if self._steps_out_of_play == 20:
            return self._short_pass
        if not _agent_has_ball(self._info):
            return self._idle
        return self._right if self._steps_out_of_play < 30 else self._left

    def _ends_by_rule(self, info: "gfootball_engine.SharedInfo") -> bool:
        """Applies the scenario's rules to the step just played, and remembers what they need."""
        normal, previous_mode = self._normal_mode, self._previous_mode
        mode = self._previous_mode = info.game_mode
        self._steps_out_of_play = 0 if mode == normal else self._steps_out_of_play + 1

        owner, previous_owner = info.ball_owned_team, self._previous_owner
        if owner == -1:
            owner = previous_owner
        self._previous_owner = owner

        return (
            (self._ends_on_score and (info.left_goals > 0 or info.right_goals > 0))
            or (self._ends_out_of_play and mode != normal and previous_mode == normal)
            or (self._ends_on_possession_change and owner != previous_owner != -1)
        )


def _active(info: "gfootball_engine.SharedInfo") -> int:
    """Index of the agent's player in the left team, or -1."""
    return info.left_controllers[0].controlled_player


def _agent_has_ball(info: "gfootball_engine.SharedInfo") -> bool:
    return info.ball_owned_team == 0 and info.ball_owned_player == _active(info)


def _point(position: "gfootball_engine.Position") -> super_mini_map.Point:
    return position[0], position[1]


def _points(team: "gfootball_engine.PlayerInfoVec") -> list[super_mini_map.Point]:
    # By index: iteration ends with a C++ exception, which costs more than the players do.
    return [_point(team[index].position) for index in range(len(team))]


def _pixels(info: "gfootball_engine.SharedInfo") -> list[int]:
    return super_mini_map.encode(
        _points(info.left_team),
        _points(info.right_team),
        _point(info.ball_position),
        _active(info),
    )


def _start_engine(config: "gfootball_config.Config") -> "gfootball_engine.GameEnv":
    import gfootball_engine

    engine = gfootball_engine.GameEnv()
    engine.game_config.physics_steps_per_frame = config["physics_steps_per_frame"]
    engine.game_config.render_resolution_x = config["render_resolution_x"]
    engine.game_config.render_resolution_y = config["render_resolution_y"]
    engine.start_game()
    return engine


def _engine_config(scenario: str) -> "gfootball_config.Config":
    from gfootball.env import config

    return config.Config(
        {
            "level": scenario,
            "players": ["agent:left_players=1,right_players=0"],
            # Set before each episode; without a first value gfootball draws one from `random`.
            "game_engine_random_seed": 0,
        }
    )


@functools.cache
def _max_episode_steps(scenario: str) -> int:
    # The engine numbers the first env step 0, so the one that reaches the duration comes after it.
    return _engine_config(scenario).ScenarioConfig().game_duration + 1


@functools.cache
def _scenarios() -> tuple[str, ...]:
    """Names of the modules in `gfootball.scenarios`, found without importing gfootball."""
    spec = importlib.util.find_spec("gfootball")
    if spec is None:
        raise ModuleNotFoundError("gfootball is not installed")
    folder = pathlib.Path(spec.origin).parent / "scenarios"
    return tuple(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.ispkg)
