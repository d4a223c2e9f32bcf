"""gfootball's own AI as an opponent: it plays in the place of a whole team."""

import dataclasses

from hts_tf import errors
from hts_tf.environments.football.football import Football

_PREFIX = "AI "


def name(difficulty: float) -> str:
    """Returns what it is called, such as "AI 0.05"."""
    return f"{_PREFIX}{difficulty!r}".removesuffix(".0")


def difficulty(opponent: str) -> float | None:
    """Returns which AI an opponent is; None if it is another one.

    Raises:
      ConfigError: it is called like one, but there is no such difficulty.
    """
    try:
        found = float(opponent.removeprefix(_PREFIX)) if opponent.startswith(_PREFIX) else None
    except ValueError:  # a run's name may begin so, too
        found = None
    if found is None:
        return None
    if not 0 <= found <= 1:
        raise errors.ConfigError(
            f"{opponent!r}: gfootball's AI is called by a difficulty from 0 to 1, such as "
            f"{name(0.05)!r}",
            page="comparing.md#tournaments",
        )
    return found


def on_the_left(game: Football, ability: float) -> Football:
    """Returns football whose left team is its."""
    return dataclasses.replace(game, left_players=0, left_difficulty=ability)


def on_the_right(game: Football, ability: float) -> Football:
    """Returns football whose right team is its."""
    return dataclasses.replace(game, right_players=0, right_difficulty=ability)
