"""Deaths of executors: what one died in, and how many there were in a row in the same place."""

from typing import NamedTuple

import numpy as np

from hts_tf.collecting import executor
from hts_tf.collecting.board import Board


class Attempt(NamedTuple):
    """An episode that an executor died in.

    Attributes:
      env: its environment.
      episode: its number.
      task: that it is of.
      actions: [n, P, ...], what was played, up to and with the action that killed it.
    """

    env: int
    episode: int
    task: int
    actions: np.ndarray


class Spot(NamedTuple):
    """Where an executor died.

    Attributes:
      what: it was doing.
      slot: of the environment; -1 where it starts.
      length: env steps that the episode had come to.
      episode: its number.
    """

    what: int
    slot: int
    length: int
    episode: int


class Death(NamedTuple):
    """What an executor died in.

    Attributes:
      where: it was, in words.
      attempt: the episode, if it was in one.
      spot: where it was; None while it waited, which is no place of its own.
      once_went_well: whether it was bringing an episode back, and died in a part of it that had
        been played before.
    """

    where: str
    attempt: Attempt | None = None
    spot: Spot | None = None
    once_went_well: bool = False


def of(doing: executor.Doing, board: Board) -> Death:
    """Returns the death of an executor that was doing this."""
    what, slot, episode, task, step, _ = doing
    if what == executor.WAITING:
        return Death("waiting for actions")
    if what == executor.STARTING:
        return Death("starting", spot=Spot(what, slot, 0, episode))
    env, place = board.env(slot), board.ledger.place(slot)
    where, num_actions = f"resetting environment {env} to its episode {episode}", 0
    if what == executor.STEPPING:
        where = f"stepping environment {env}, episode {episode}, env step {step}"
        num_actions = step + 1
    brought_back = episode == place.episode and not place.episode_over
    return Death(
        where,
        Attempt(env, episode, task, board.ledger.attempted(slot, num_actions)),
        Spot(what, slot, place.length, episode),
        brought_back and step < place.length and not board.has_history[0],
    )


class Deaths:
    """Counts them.

    Attributes:
      total: of all executors.
    """

    def __init__(self, num_executors: int) -> None:
        """Begins without any."""
        self.total = 0
        self._spots: list[Spot | None] = [None] * num_executors
        self._in_a_row = [0] * num_executors

    def count(self, index: int, spot: Spot | None, has_history: bool) -> int:
        """Counts one; returns how many of this executor there were there in a row.

        An episode that is played again dies wherever it dies without getting any further; one of an
        environment with history is cut short, and the next one may die where it has.

        Args:
          index: of the executor.
          spot: where it died; None is none that can be died in again.
          has_history: whether its environments are known not to be free of history.
        """
        self.total += 1
        before, self._spots[index] = self._spots[index], spot
        again = {before}
        if before is not None and has_history:
            again.add(before._replace(episode=before.episode + 1))
        same = spot is not None and spot in again
        self._in_a_row[index] = 1 + (self._in_a_row[index] if same else 0)
        return self._in_a_row[index]
