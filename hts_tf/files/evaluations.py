"""What a workdir keeps of evaluations while its run trains: a table, and the best policy."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors
from hts_tf.files import checkpoint
from hts_tf.files.workdir import TO_EVALUATE
from hts_tf.networks import parameters
from hts_tf.networks.agent import Agent
from hts_tf.system import whole

FILE_NAME = "evaluations.csv"
# In the best one's file: how it has played, and in how many episodes.
_MERIT, _EPISODES = "evaluation", "evaluation/episodes"


class Evaluation(NamedTuple):
    """How a policy has played; means over its episodes.

    Attributes:
      updates: that have made it.
      env_steps: of the run, when it was taken.
      episodes: that it played.
      score: of an episode.
      episode_return: of an episode.
      length: of an episode, in env steps.
    """

    updates: int
    env_steps: int
    episodes: int
    score: float
    episode_return: float
    length: float


class Evaluations:
    """The evaluations of a run, by the updates that made their policies.

    A run that goes on from a checkpoint makes those after it again: they replace what is there.
    """

    def __init__(self, workdir: Path) -> None:
        """Touches nothing."""
        self._table = workdir / FILE_NAME
        self._waiting = workdir / "checkpoints" / TO_EVALUATE
        self._best = workdir / "checkpoints" / "best"

    def waiting(self) -> list[Path]:
        """Returns the policies that are yet to be evaluated, oldest first."""
        return checkpoint.paths(self._waiting)[::-1]

    def add(self, agent: Agent, updates: int, env_steps: int) -> Path:
        """Writes a policy that is to be evaluated; see `Evaluation`.

        Raises:
          OSError: it cannot be written; names it.
        """
        made = {"run/updates": np.array(updates), "run/env_steps": np.array(env_steps)}
        return checkpoint.save(self._waiting, updates, {**parameters.frozen(agent), **made})

    def clear(self) -> None:
        """Removes all."""
        self._table.unlink(missing_ok=True)
        for path in (*checkpoint.paths(self._waiting), *checkpoint.paths(self._best)):
            path.unlink()

    def drop(self, path: Path) -> None:
        """Has a policy wait no more."""
        path.unlink(missing_ok=True)

    def end(self, path: Path, evaluation: Evaluation) -> None:
        """Writes how a policy has played, and keeps it if it is the best one so far.

        Best is the highest score, then the highest return, then the latest; of as many episodes:
        where others are played from now on, earlier ones cannot be compared with. Its file says how
        it has played, as its row is another one's where a run that does not repeat goes on.

        Raises:
          OSError: it cannot be written; names it.
        """
        rows = {row.updates: row for row in self.read()} | {evaluation.updates: evaluation}
        ordered = [rows[updates] for updates in sorted(rows)]
        whole.write_csv(self._table, Evaluation._fields, ordered)
        merit = np.array([evaluation.score, evaluation.episode_return, evaluation.updates])
        best, episodes = self.best_state(), np.array(evaluation.episodes)
        is_alike = best is not None and best.get(_EPISODES, episodes) == episodes
        if not is_alike or tuple(merit) >= tuple(best[_MERIT]):
            state = {**checkpoint.load(path), _MERIT: merit, _EPISODES: episodes}
            checkpoint.save(self._best, evaluation.updates, state, keep=1)
        self.drop(path)

    def read(self) -> list[Evaluation]:
        """Returns the table. Raises: ConfigError: it is damaged."""
        if not self._table.exists():
            return []
        kinds = Evaluation.__annotations__.values()
        try:
            with self._table.open(encoding="utf-8", newline="") as file:
                columns, *rows = csv.reader(file)
            if tuple(columns) != Evaluation._fields:
                raise ValueError("other columns")
            return [
                Evaluation(*(kind(cell) for kind, cell in zip(kinds, row, strict=True)))
                for row in rows
            ]
        except (ValueError, OSError) as error:
            raise errors.ConfigError(f"{self._table} is damaged: {error}") from error

    def best_state(self) -> dict[str, np.ndarray] | None:
        """Returns the best policy; None before the first evaluation."""
        # Two, where a better one has been written, and the other not yet removed.
        there = checkpoint.each(self._best)
        return max(there, key=lambda state: tuple(state[_MERIT]), default=None)
