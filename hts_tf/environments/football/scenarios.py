"""gfootball's scenarios: which there are, and what the engine is told of each.

gfootball is imported inside functions: it brings gym, OpenCV and the engine with it.
"""

import contextlib
import functools
import importlib.util
import io
import pathlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gfootball.env import config as gfootball_config


def engine_config(scenario: str) -> "gfootball_config.Config":
    """Returns gfootball's configuration of a scenario with one player of the left team."""
    # gym greets every process that imports it with a call to use its successor.
    with contextlib.redirect_stderr(io.StringIO()):
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
def max_episode_steps(scenario: str) -> int:
    """Returns the most env steps that an episode of a scenario can have."""
    # The engine numbers the first env step 0.
    return engine_config(scenario).ScenarioConfig().game_duration + 1


@functools.cache
def names() -> tuple[str, ...]:
    """Names the modules in `gfootball.scenarios`, none if gfootball is not installed.

    gfootball itself is not imported, as that starts an engine.
    """
    spec = importlib.util.find_spec("gfootball")
    if spec is None:
        return ()
    folder = pathlib.Path(spec.origin).parent / "scenarios"
    return tuple(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.ispkg)
