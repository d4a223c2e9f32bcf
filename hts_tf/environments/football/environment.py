"""Google Research Football, stepped at the engine instead of through its Python wrappers.

Observations, rewards and endings are bit for bit those of
`gfootball.env.create_environment(scenario, representation=..., stacked=frames > 1, rewards=...,
number_of_left_players_agent_controls=1)`. The rules transcribed here are those of
`FootballEnvCore`, `CheckpointRewardWrapper` and `FrameStack` in gfootball 2.10.2, without the
deep copies, conversions and traces that take as long as a third of the engine's own step.
Time is counted as the engine does, so that an episode has one env step more than the scenario's
`game_duration` says: 401 in most of the academy.

gfootball is imported inside functions: it brings gym, OpenCV and the engine with it.
"""

from typing import TYPE_CHECKING

import numpy as np

from hts_tf.environments import base
from hts_tf.environments.football import checkpoint_reward, simple115v2, super_mini_map
from hts_tf.environments.football import scenario as football_scenario
from hts_tf.environments.football.match import FootballMatch

if TYPE_CHECKING:
    import gfootball_engine


class FootballEnvironment:
    """A football match and the rules around it; see `base.Environment`.

    Used by one thread; others may use other environments, and engines release the GIL while they
    work.
    """

    def __init__(
        self, scenario: str, rewards: str, frames: int, representation: str = "extracted"
    ) -> None:
        """Prepares a match.

        Args:
          scenario: as the other two, see `football.Football`.
          rewards: the same.
          frames: the same.
          representation: what a frame is: "extracted", as in `super_mini_map.spec`, or
            "simple115v2", as in `simple115v2.spec`.
        """
        self._scenario = football_scenario.load(scenario)

        import gfootball_engine
        from gfootball.env import football_action_set as actions

        self._normal_mode = gfootball_engine.e_GameMode.e_GameMode_Normal
        self._core_actions = actions.get_action_set(self._scenario.config)
        self._actions = [action._backend_action for action in self._core_actions]
        self._short_pass = actions.action_short_pass._backend_action
        self._idle = actions.action_idle._backend_action
        self._left = actions.action_left._backend_action
        self._right = actions.action_right._backend_action

        self._num_frames = frames
        self._encode = {"extracted": _super_mini_map, "simple115v2": simple115v2.encode}[
            representation
        ]
        self._frames = b""  # of the observation; bytes move faster than arrays so small
        self._checkpoint_reward = (
            checkpoint_reward.CheckpointReward() if "checkpoints" in rewards else None
        )
        self._match: FootballMatch | None = None
        self._running = False

    def reset(self, seed: int, observation: np.ndarray) -> None:
        """Starts the episode with this seed; see `base.Environment.reset`."""
        if self._match is None:
            self._match = self._new_match()
        self._match.start(int(seed))
        rules = self._match.rules
        self._ends_on_score: bool = rules.end_episode_on_score
        self._ends_out_of_play: bool = rules.end_episode_on_out_of_play
        self._ends_on_possession_change: bool = rules.end_episode_on_possession_change
        self._game_duration: int = rules.game_duration
        self._goal_difference = 0
        self._previous_mode = None
        self._previous_owner = -1
        self._steps_out_of_play = 0
        if self._checkpoint_reward:
            self._checkpoint_reward.reset()
        self._running = True

        self._frames = self._encode(self._match.info) * self._num_frames
        observation.data.cast("B")[:] = self._frames

    def step(self, action: int, observation: np.ndarray) -> base.StepResult:
        """Plays one env step; see `base.Environment.step`.

        Raises:
          RuntimeError: there is no running episode.
        """
        if not self._running:
            raise RuntimeError("the episode has ended or never began: call reset() before step()")
        match = self._match
        match.perform(self._permitted(action))
        match.play()
        info = match.info

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

        frame = self._encode(info)
        self._frames = self._frames[len(frame) :] + frame
        observation.data.cast("B")[:] = self._frames
        return base.StepResult(reward, float(goal_reward), terminated, truncated)

    def close(self) -> None:
        """Leaves the engine to later environments of this process; may be called twice."""
        self._running = False
        if self._match is not None:
            self._match.close()
            self._match = None

    def _new_match(self) -> FootballMatch:
        return FootballMatch(self._scenario)

    def _permitted(self, action: int) -> int:
        """Returns the engine's number of an action, or of another if play has to be resumed.

        A team that takes too long over a free kick, corner or the like is made to play the ball.
        """
        if self._steps_out_of_play < 20:
            return self._actions[action]
        if self._steps_out_of_play == 20:
            return self._short_pass
        if not _agent_has_ball(self._match.info):
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


def active(info: "gfootball_engine.SharedInfo") -> int:
    """Returns the index of the agent's player in the left team, or -1."""
    return info.left_controllers[0].controlled_player


def _agent_has_ball(info: "gfootball_engine.SharedInfo") -> bool:
    return info.ball_owned_team == 0 and info.ball_owned_player == active(info)


def _point(position: "gfootball_engine.Position") -> super_mini_map.Point:
    return position[0], position[1]


def points(team: "gfootball_engine.PlayerInfoVec") -> list[super_mini_map.Point]:
    """Returns where the players of a team stand."""
    # By index: iteration ends with a C++ exception, which costs more than the players do.
    return [_point(team[index].position) for index in range(len(team))]


def _super_mini_map(info: "gfootball_engine.SharedInfo") -> bytes:
    return super_mini_map.FRAME.pack(*_pixels(info))


def _pixels(info: "gfootball_engine.SharedInfo") -> list[int]:
    return super_mini_map.encode(
        points(info.left_team),
        points(info.right_team),
        _point(info.ball_position),
        active(info),
    )
