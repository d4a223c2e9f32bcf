"""Football to watch: the same episodes to the bit, with a picture of each env step."""

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hts_tf import errors, trees
from hts_tf.environments import base
from hts_tf.environments.football import action_list, pitch, sides
from hts_tf.environments.football.environment import TURNED, FootballEnvironment, Game
from hts_tf.environments.football.match import FootballMatch, start_engine
from hts_tf.environments.football.scenario import Scenario

if TYPE_CHECKING:
    import gfootball_engine

_RENDERED_SIZE = 960, 540  # pixels
_FPS = 10.0  # as the matches' clock has it


class FootballView(FootballEnvironment):
    """A football environment that shows itself; see `base.Watched`."""

    def __init__(self, game: Game, render: bool) -> None:
        """Prepares a match.

        Args:
          game: to be played.
          render: pictures are gfootball's own, in 3-D, instead of drawn from above.

        Raises:
          ConfigError: the renderer cannot run here.
        """
        super().__init__(game)
        self.title = game.scenario
        self.fps = _FPS
        names = [str(action) for action in self._core_actions]
        turned = [TURNED.get(name, name) for name in names]
        self._action_names = [names] * self._num_left + [turned] * self._num_right
        self._actions_done: np.ndarray | None = None
        self._match_type = _RenderedMatch if render else _WatchedMatch
        if render:
            _check_renderer(game)

    def reset(self, seed: int, observation: trees.Tree) -> None:
        """See `base.Environment.reset`."""
        super().reset(seed, observation)
        self._actions_done = None

    def step(self, action: int | np.ndarray, observation: trees.Tree) -> base.StepResult:
        """See `base.Environment.step`."""
        if self._running:
            self._match.remember_controlled()
        result = super().step(action, observation)
        self._actions_done = np.ravel(action)
        return result

    def picture(self) -> Image.Image:
        """Returns a picture of how the last env step, or reset, has left things.

        Of several players, below it, what each has done in that step.

        Raises:
          RuntimeError: no episode has begun, or this has been closed.
        """
        self._check_begun()
        picture = self._match.picture()
        if self._is_alone:
            return picture
        doings = action_list.draw(picture.width, self.doings())
        whole = Image.new("RGB", (picture.width, picture.height + doings.height))
        whole.paste(picture, (0, 0))
        whole.paste(doings, (0, picture.height))
        return whole

    def scene(self) -> pitch.Scene:
        """Returns where everyone stands."""
        return self._match.scene()

    def action_name(self, action: int | np.ndarray) -> str:
        """Returns what gfootball calls an action, directions as they are in the picture.

        Those of several players are in the picture.
        """
        return "" if np.ndim(action) else self._action_names[0][action]

    def doings(self) -> list[action_list.Doing]:
        """Returns what each of the controlled players has done in the last env step."""
        scene = self._match.scene()
        players = [(0, player) for player in scene.left_active]
        players += [(1, player) for player in scene.right_active]
        actions = [""] * len(players)
        if self._actions_done is not None:
            actions = [n[a] for n, a in zip(self._action_names, self._actions_done, strict=True)]
        return [
            action_list.Doing(
                is_left=team == 0,
                number="" if player == -1 else str(player + 1),
                action=action.replace("_", " "),
                has_ball=(team, player) == scene.ball_owner,
            )
            for (team, player), action in zip(players, actions, strict=True)
        ]

    def _new_match(self) -> FootballMatch:
        match = self._match_type(self._scenario)
        match.controlled = self._num_left, self._num_right
        return match


class _WatchedMatch(FootballMatch):
    """A match that remembers what an env step has led to.

    `info` is of the next decision. After a goal, players and ball have by then been set up for the
    kick-off, and nobody would see the ball in the net.

    Attributes:
      controlled: how many players of the left and of the right team.
    """

    controlled = 1, 0

    def start(self, seed: int) -> None:
        super().start(seed)
        self._look(self.info)
        self.remember_controlled()

    def remember_controlled(self) -> None:
        """Remembers whom the next action is of: by the end of the step, it may be others."""
        num_left, num_right = self.controlled
        self._active = (
            sides.left(self.info, num_left).active,
            sides.right(self.info, num_right).active,
        )

    def play(self) -> None:
        self._looked = False
        super().play()

    def picture(self) -> Image.Image:
        return pitch.draw(self.scene())

    def scene(self) -> pitch.Scene:
        seen = self._seen
        view = sides.left(seen, 0)
        owner = seen.ball_owned_team, seen.ball_owned_player
        teams = [
            [place if player.is_active else None for place, player in zip(*team, strict=True)]
            for team in zip(view.positions(), (seen.left_team, seen.right_team), strict=True)
        ]
        return pitch.Scene(*teams, view.ball(), seen.ball_position[2], *self._active, owner)

    def _step_engine(self) -> "gfootball_engine.SharedInfo":
        info = super()._step_engine()
        if not self._looked:
            self._look(info)
        return info

    def _look(self, info: "gfootball_engine.SharedInfo") -> None:
        self._seen = info
        self._looked = True


class _RenderedMatch(_WatchedMatch):
    """A match with gfootball's 3-D renderer, in an engine of its own."""

    def picture(self) -> Image.Image:
        # OpenGL's rows go from the bottom to the top.
        image = Image.frombytes("RGB", _RENDERED_SIZE, self._frame)
        return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)

    def close(self) -> None:
        del self._engine  # too slow for anyone else

    def _take_engine(self) -> "gfootball_engine.GameEnv":
        return _start_rendering_engine(self._scenario)

    def _look(self, info: "gfootball_engine.SharedInfo") -> None:
        super()._look(info)
        self._frame = bytes(self._engine.get_frame())


def _start_rendering_engine(scenario: Scenario) -> "gfootball_engine.GameEnv":
    config = scenario.setup(seed=0).config
    config["render_resolution_x"], config["render_resolution_y"] = _RENDERED_SIZE
    return start_engine(config, render=True)


def _check_renderer(game: Game) -> None:
    """Tries the renderer in a process of its own, as the engine ends one in which it cannot run.

    Raises:
      ConfigError: it cannot run here.
    """
    which = game.scenario, game.left_players, game.right_players
    code = (
        "from hts_tf.environments.football import scenario, view; "
        f"view._start_rendering_engine(scenario.load(*{which!r}))"
    )
    if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode:
        raise errors.ConfigError(
            "gfootball's 3-D renderer cannot run here: without DISPLAY it needs OpenGL through EGL "
            "(Debian: libegl1 and libgl1-mesa-dri), with DISPLAY a running X server"
        )
