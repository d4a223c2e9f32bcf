"""Football to watch: the same episodes to the bit, with a picture of each env step."""

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hts_tf import errors
from hts_tf.environments.football import pitch, sides
from hts_tf.environments.football.environment import FootballEnvironment, Game
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
        self._action_names = tuple(map(str, self._core_actions))
        self._match_type = _RenderedMatch if render else _WatchedMatch
        if render:
            _check_renderer(game.scenario)

    def picture(self) -> Image.Image:
        """Returns a picture of how the last env step, or reset, has left things."""
        return self._match.picture()

    def action_name(self, action: int | np.ndarray) -> str:
        """Returns what gfootball calls an action; nothing for those of several players."""
        return "" if np.ndim(action) else self._action_names[action]

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

    def play(self) -> None:
        self._looked = False
        super().play()

    def picture(self) -> Image.Image:
        return pitch.draw(self._scene())

    def _step_engine(self) -> "gfootball_engine.SharedInfo":
        info = super()._step_engine()
        if not self._looked:
            self._look(info)
        return info

    def _look(self, info: "gfootball_engine.SharedInfo") -> None:
        self._seen = info
        self._looked = True

    def _scene(self) -> pitch.Scene:
        num_left, num_right = self.controlled
        left, right = sides.left(self._seen, num_left), sides.right(self._seen, num_right)
        ball_height = self._seen.ball_position[2]
        return pitch.Scene(*left.positions(), left.ball(), ball_height, left.active, right.active)


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


def _check_renderer(scenario: str) -> None:
    """Tries the renderer in a process of its own, as the engine ends one in which it cannot run.

    Raises:
      ConfigError: it cannot run here.
    """
    code = (
        "from hts_tf.environments.football import scenario, view; "
        f"view._start_rendering_engine(scenario.load({scenario!r}))"
    )
    if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode:
        raise errors.ConfigError(
            "gfootball's 3-D renderer cannot run here: without DISPLAY it needs OpenGL through EGL "
            "(Debian: libegl1 and libgl1-mesa-dri), with DISPLAY a running X server"
        )
