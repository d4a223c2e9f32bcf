"""Episode statistics: what the finished episodes were, from what is in the storages."""

import collections
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hts_tf import rollouts, seeding, trees
from hts_tf.collecting.ledger import Place
from hts_tf.files import archive

WINDOW = 100  # episodes over which score and return are averaged


class Episode(NamedTuple):
    """A finished episode.

    Attributes:
      score: sum of the scores (football: goals for minus goals against), of several players the
        mean over those that are no rivals.
      episode_return: sum of the rewards; the same.
      length: in env steps.
    """

    score: float
    episode_return: float
    length: int


class EpisodeTracker:
    """Follows episodes across intervals, from what is in the storages.

    Attributes:
      recent: the last `WINDOW` finished episodes, oldest first.
      recent_figures: what the environment told of these, [n, F].
      finished: how many episodes have finished.
    """

    def __init__(
        self,
        num_envs: int,
        seed: int,
        num_rivals: int = 0,
        num_tasks: int = 1,
        figures: Sequence[str] = (),
    ) -> None:
        """Starts with the first episode of each of so many environments.

        Args:
          num_envs: how many.
          seed: of the run.
          num_rivals: players, the last ones, whose scores are not counted.
          num_tasks: that episodes may be of.
          figures: names of what the environment tells of them.
        """
        self._names = figures
        self._seed = seed
        self._num_rivals = num_rivals
        self._num_tasks = num_tasks
        self._unknown = -1 if num_rivals else 0  # whom an episode meets, before that was seen
        self._running = np.zeros((3, num_envs))
        # Of the running episodes: their numbers; in the intervals before, actions and `_kind`.
        self._number = [0] * num_envs
        self._kinds = [(0, self._unknown)] * num_envs
        self._actions = [b""] * num_envs
        self.recent: collections.deque[Episode] = collections.deque(maxlen=WINDOW)
        self.recent_figures: collections.deque[tuple[float, ...]] = collections.deque(maxlen=WINDOW)
        self.finished = 0

    def add(
        self,
        rollout: rollouts.Rollout,
        interval: int,
        slots: np.ndarray | None = None,
        cut_short: np.ndarray | None = None,
    ) -> list[archive.Record]:
        """Counts in an interval.

        Args:
          rollout: [T, B, P, ...]; score and return are means over the players that are no rivals.
          interval: its number.
          slots: [B], the environment that each column is of, each environment's columns in the
            order of time; None for one column of each, in order.
          cut_short: [T, B] bool, where the running episode was cut short before a step, see
            `Board.cut`; None for nowhere.

        Returns:
          The episodes that ended in it; those that did in the same step, in their order; column by
          column if `slots` are given. The outcome of one that was cut short is not known, and it
          does not count as finished.
        """
        if cut_short is None:
            cut_short = np.zeros(rollout.reward.shape[:2], bool)
        if slots is None:
            return self._add(rollout, interval, range(len(self._number)), cut_short)
        return [
            record
            for column, env in enumerate(slots.tolist())
            for record in self._add(
                trees.map(lambda array, c=column: array[:, c : c + 1], rollout),
                interval,
                [env],
                cut_short[:, column : column + 1],
            )
        ]

    def _add(
        self, rollout: rollouts.Rollout, interval: int, envs: Sequence[int], cut_short: np.ndarray
    ) -> list[archive.Record]:
        """Counts in an interval of so many different environments."""
        running = self._running[:, envs]
        own = slice(rollout.reward.shape[2] - self._num_rivals)
        score, reward = (array[:, :, own].mean(axis=2) for array in (rollout.score, rollout.reward))
        finished = (rollout.terminated | rollout.truncated).all(axis=2)
        finished[:-1] &= ~cut_short[1:]
        action_bytes = rollout.action[0, 0].nbytes
        records = []
        begin = np.zeros(finished.shape[1], int)  # the running episodes' first steps in here

        def end(columns: np.ndarray, step: int, is_finished: bool) -> None:
            """Ends the episodes of these columns before a step."""
            for column in np.flatnonzero(columns).tolist():
                env = envs[column]
                first, begin[column] = begin[column], step
                outcome, figures = None, ()
                if is_finished:
                    *sums, length = running[:, column].tolist()
                    outcome = Episode(*sums, int(length))
                    self.recent.append(outcome)
                    self.finished += 1
                    if self._names:
                        figures = tuple(rollout.figures[step - 1, column, 0].tolist())
                        self.recent_figures.append(figures)
                if first < step:
                    self._actions[env] += rollout.action[first:step, column].tobytes()
                    self._kinds[env] = self._kind(rollout, step - 1, column)
                records.append(self._record(env, interval, outcome, figures, action_bytes))
                self._number[env] += 1
                self._actions[env] = b""
            running[:, columns] = 0

        # Where there is nothing to end, not to ask: all wait here, and that is most of it.
        cuts, ends = cut_short.any(axis=1).tolist(), finished.any(axis=1).tolist()
        for step in range(len(finished)):
            if cuts[step]:
                end(cut_short[step], step, is_finished=False)
            running[0] += score[step]
            running[1] += reward[step]
            running[2] += 1
            if ends[step]:
                end(finished[step], step + 1, is_finished=True)
        for column, env in enumerate(envs):
            self._actions[env] += rollout.action[begin[column] :, column].tobytes()
            self._kinds[env] = self._kind(rollout, -1, column)
        self._running[:, envs] = running
        return records

    def _record(
        self,
        env: int,
        interval: int,
        outcome: Episode | None,
        figures: tuple[float, ...],
        action_bytes: int,
    ) -> archive.Record:
        """Returns an environment's running episode; the outcome is None if it is not known."""
        task, opponent = self._kinds[env]
        number = self._number[env]
        return archive.Record(
            env=env,
            episode=number,
            seed=seeding.episode_seed(
                self._seed, env, number, task=task, num_tasks=self._num_tasks
            ),
            interval=interval,
            score=outcome.score if outcome else math.nan,
            episode_return=outcome.episode_return if outcome else math.nan,
            actions=self._actions[env],
            action_bytes=action_bytes,
            opponent=opponent,
            task=task,
            figures=figures,
        )

    def _kind(self, rollout: rollouts.Rollout, step: int, column: int) -> tuple[int, int]:
        """Returns which task an episode is of, and the number of the opponent that it met."""
        return (
            int(rollout.task[step, column, 0]) if self._num_tasks > 1 else 0,
            int(rollout.chosen_by[step, column, -1]) if self._num_rivals else 0,
        )

    def means(self) -> Episode | None:
        """Returns the means over `recent`, or None before any episode has finished."""
        return Episode(*np.mean(self.recent, axis=0)) if self.recent else None

    def figures(self) -> dict[str, float]:
        """Returns name -> mean over `recent_figures`; nothing before any episode has finished."""
        if not self.recent_figures:
            return {}
        return dict(zip(self._names, np.mean(self.recent_figures, axis=0).tolist(), strict=True))

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        told = {"episodes/figures": np.array(self.recent_figures)} if self.recent_figures else {}
        return {
            **told,
            "episodes/running": self._running,
            "episodes/recent": np.array(self.recent, np.float64).reshape(-1, 3),
            "episodes/finished": np.array(self.finished),
        }

    def restore(
        self, state: dict[str, np.ndarray], playing: Sequence[tuple[Place, np.ndarray]]
    ) -> None:
        """Goes on from a saved state.

        Args:
          state: what `state` returned.
          playing: for each environment, what `Ledger.current` said at the same sync point; or an
            episode without actions, where another one begins.
        """
        self._number = [place.episode for place, _ in playing]
        self._kinds = [(place.task, self._unknown) for place, _ in playing]
        self._actions = [actions.tobytes() for _, actions in playing]
        goes_on = [len(actions) > 0 for _, actions in playing]
        self._running[...] = np.where(goes_on, state["episodes/running"], 0.0)
        self.recent.extend(
            Episode(float(s), float(r), int(n)) for s, r, n in state["episodes/recent"]
        )
        self.recent_figures.extend(map(tuple, state.get("episodes/figures", np.empty(0)).tolist()))
        self.finished = int(state["episodes/finished"])
