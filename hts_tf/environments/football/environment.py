"""Google Research Football, stepped at the engine instead of through its Python wrappers.

Observations, rewards and endings are bit for bit those of
`gfootball.env.create_environment(scenario, representation=..., stacked=frames > 1, rewards=...,
number_of_left_players_agent_controls=..., number_of_right_players_agent_controls=...)`. The rules
transcribed here are those of `FootballEnv`, `FootballEnvCore`, `CheckpointRewardWrapper` and
`FrameStack` in gfootball 2.10.2, without the deep copies, conversions and traces that take as long
as a third of the engine's own step.
Time is counted as the engine does, so that an episode has one env step more than the scenario's
`game_duration` says: 401 in most of the academy.

gfootball is imported inside functions: it brings gym, OpenCV and the engine with it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hts_tf import specs, trees
from hts_tf.environments import base
from hts_tf.environments.football import (
    action_masks,
    relative,
    scenario,
    sides,
    simple115v2,
    super_mini_map,
)
from hts_tf.environments.football.checkpoint_reward import CheckpointReward
from hts_tf.environments.football.match import FootballMatch

if TYPE_CHECKING:
    import gfootball_engine

# By `Football.representation`: what describes frames, and encodes one for each player of a side.
REPRESENTATIONS = {
    "extracted": super_mini_map,
    "simple115v2": simple115v2,
    "relative": relative,
}

# Directions for who plays from right to left.
TURNED = {
    "left": "right",
    "top_left": "bottom_right",
    "top": "bottom",
    "top_right": "bottom_left",
}
TURNED |= {turned: name for name, turned in TURNED.items()}


class Game(NamedTuple):
    """What is played; see `football.Football`."""

    scenario: str
    rewards: str
    frames: int
    representation: str
    left_players: int
    right_players: int
    left_difficulty: float | None
    right_difficulty: float | None
    checkpoint_weight: float
    shared_reward: bool
    shots_in_front: bool
    first_time_shots: bool


class FootballEnvironment:
    """A football match and the rules around it; see `base.Environment`.

    Its players are those that are controlled, the left ones first. Used by one thread; others may
    use other environments, and engines release the GIL while they work.
    """

    def __init__(self, game: Game) -> None:
        """Prepares a match."""
        self._num_left, self._num_right = game.left_players, game.right_players
        self._scenario = scenario.load(
            game.scenario,
            self._num_left,
            self._num_right,
            game.left_difficulty,
            game.right_difficulty,
        )

        import gfootball_engine
        from gfootball.env import football_action_set as actions

        self._normal_mode = gfootball_engine.e_GameMode.e_GameMode_Normal
        self._core_actions = actions.get_action_set(self._scenario.config)
        numbers = {str(action): action._backend_action for action in self._core_actions}
        self._actions = list(numbers.values())
        self._turned_actions = [numbers[TURNED.get(name, name)] for name in numbers]
        self._short_pass = actions.action_short_pass._backend_action
        self._idle = actions.action_idle._backend_action
        self._left = actions.action_left._backend_action
        self._right = actions.action_right._backend_action

        self._num_frames = game.frames
        self._encode = REPRESENTATIONS[game.representation].encode
        self._frames: list[bytes] = []  # of each player; bytes move faster than arrays so small
        self._shares = game.shared_reward
        self._shots = game.shots_in_front, game.first_time_shots
        pays = "checkpoints" in game.rewards
        num_players = self._num_left + self._num_right
        self._is_alone = num_players == 1
        self._checkpoint_rewards = [
            CheckpointReward(game.checkpoint_weight) for _ in range(num_players if pays else 0)
        ]
        self._match: FootballMatch | None = None
        self._running = False

    def reset(self, seed: int, observation: trees.Tree) -> None:
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
        for checkpoint_reward in self._checkpoint_rewards:
            checkpoint_reward.reset()
        self._running = True

        self._look()
        self._frames = [frame * self._num_frames for frame in self._encoded()]
        self._write(observation)

    def step(self, action: int | np.ndarray, observation: trees.Tree) -> base.StepResult:
        """Plays one env step; see `base.Environment.step`.

        Raises:
          RuntimeError: there is no running episode.
        """
        if not self._running:
            raise RuntimeError("the episode has ended or never began: call reset() before step()")
        match = self._match
        self._perform([action] if self._is_alone else action.tolist())
        match.play()
        self._look()
        info = match.info

        goal_difference = info.left_goals - info.right_goals
        goal_reward = goal_difference - self._goal_difference
        self._goal_difference = goal_difference
        terminated = self._ends_by_rule(info)
        truncated = not terminated and info.step >= self._game_duration
        self._running = not (terminated or truncated)

        self._frames = [
            frames[len(frame) :] + frame
            for frames, frame in zip(self._frames, self._encoded(), strict=True)
        ]
        self._write(observation)
        return self._result(goal_reward, terminated, truncated)

    def state(self) -> np.ndarray:
        """Returns all of the match, see `simple115v2.encode`, as the first player sees it.

        Raises:
          RuntimeError: no episode has begun, or this has been closed.
        """
        self._check_begun()
        return np.frombuffer(simple115v2.encode(self._sides[0])[0], np.float32).copy()

    def close(self) -> None:
        """Leaves the engine to later environments of this process; may be called twice."""
        self._running = False
        if self._match is not None:
            self._match.close()
            self._match = None

    def _check_begun(self) -> None:
        if self._match is None:
            raise RuntimeError("no episode has begun: call reset")

    def _new_match(self) -> FootballMatch:
        return FootballMatch(self._scenario)

    def _look(self) -> None:
        """Updates what the sides see."""
        match = self._match
        self._sides = []
        if self._num_left:
            self._sides.append(sides.left(match.info, self._num_left, match))
        if self._num_right:
            self._sides.append(sides.right(match.info, self._num_right, match))

    def _encoded(self) -> list[bytes]:
        """Returns a frame of each player."""
        return [frame for side in self._sides for frame in self._encode(side)]

    def _write(self, observation: trees.Tree) -> None:
        """Writes what each player observes."""
        if not isinstance(observation, dict):
            observation.data.cast("B")[:] = b"".join(self._frames)
            return
        observation["player"].data.cast("B")[:] = b"".join(self._frames)
        if specs.ACTION_MASK in observation:
            masks = [m for side in self._sides for m in action_masks.encode(side, *self._shots)]
            observation[specs.ACTION_MASK].data.cast("B")[:] = b"".join(masks)
        if specs.CRITIC_STATE in observation:
            states = [state for side in self._sides for state in simple115v2.encode(side)]
            observation[specs.CRITIC_STATE].data.cast("B")[:] = b"".join(states)

    def _perform(self, actions: Sequence[int]) -> None:
        """Has all players act."""
        own = iter(actions)
        for side in self._sides:
            for index, player in enumerate(side.active):
                action = self._permitted(next(own), side, player)
                self._match.perform(action, side.is_left, index)

    def _permitted(self, action: int, side: sides.Side, player: int) -> int:
        """Returns the engine's number of an action, or of another if play has to be resumed.

        A team that takes too long over a free kick, corner or the like is made to play the ball.
        """
        if self._steps_out_of_play < 20:
            return (self._actions if side.is_left else self._turned_actions)[action]
        if self._steps_out_of_play == 20:
            return self._short_pass
        if not side.has_ball(player):
            return self._idle
        return self._right if (self._steps_out_of_play < 30) == side.is_left else self._left

    def _result(self, goal_reward: int, terminated: bool, truncated: bool) -> base.StepResult:
        rewards: list[float] = []
        scores: list[float] = []
        for side in self._sides:
            goal = goal_reward if side.is_left else -goal_reward
            own = [float(goal)] * len(side.active)
            scores += own
            if self._checkpoint_rewards:
                own = [
                    checkpoint_reward(goal, side.ball() if side.has_ball(player) else None)
                    for checkpoint_reward, player in zip(
                        self._checkpoint_rewards[len(rewards) :], side.active, strict=False
                    )
                ]
            rewards += [sum(own) / len(own)] * len(own) if self._shares else own
        if self._is_alone:
            return base.StepResult(rewards[0], scores[0], terminated, truncated)
        num_players = len(rewards)
        return base.StepResult(
            np.array(rewards, np.float32),
            np.array(scores, np.float32),
            np.full(num_players, terminated),
            np.full(num_players, truncated),
        )

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
