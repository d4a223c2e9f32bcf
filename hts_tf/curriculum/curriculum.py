"""The curriculum: how often episodes are of each task. It changes only at sync points."""

import dataclasses
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from hts_tf import errors, rollouts, values
from hts_tf.configurables import configurable
from hts_tf.curriculum import rules


@configurable
@dataclasses.dataclass(frozen=True)
class Curriculum:
    """By which rule tasks are played, as gin binds it.

    Attributes:
      rule: `@one_after_another`, `@by_progress`, or a function of yours, see `rules.Rule`.
      window: how many of a task's last episodes the rule looks at.
      success: an episode whose score is greater, by more than rounding leaves, is one.

    Raises:
      ConfigError: a setting is out of range; the message names its binding.
    """

    rule: rules.Rule = rules.one_after_another
    window: Annotated[int, Ge(2), Le(10_000)] = 100
    success: values.Number = 0.0


class Progress:
    """What the last episodes of each task have come to, and the shares that follow from it.

    Attributes:
      shares: [K], how often episodes that begin from now on are of each task.
    """

    def __init__(self, settings: Curriculum | None, num_tasks: int) -> None:
        """Begins before the first episode.

        Args:
          settings: of the rule; None for all tasks alike.
          num_tasks: K.

        Raises:
          ConfigError: the rule returns something else than shares.
        """
        self._settings = settings or Curriculum(rule=_alike)
        self._successes = np.zeros((num_tasks, self._settings.window), bool)
        self._counts = np.zeros(num_tasks, np.int64)
        self._set_shares()
        if settings is not None:
            self._check_that_it_moves()

    def update(self, results: Iterable[tuple[int, float]]) -> None:
        """Takes the tasks and scores of episodes that ended, in their order."""
        for task, score in results:
            last = self._successes[task]
            last[:-1] = last[1:]
            last[-1] = score - self._settings.success > rollouts.NEXT_TO_NOTHING
            self._counts[task] = min(self._counts[task] + 1, len(last))
        self._set_shares()

    def figures(self) -> dict[str, float]:
        """Returns scalars for the log: each task's share, and its share of successes."""
        found = {}
        for task, (share, count) in enumerate(zip(self.shares, self._counts, strict=True)):
            found[f"tasks/share/{task}"] = float(share)
            if count:
                found[f"tasks/success/{task}"] = float(self._successes[task].sum() / count)
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Returns what `restore` takes, for a checkpoint."""
        return {"tasks/successes": self._successes, "tasks/counts": self._counts}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Goes on from a saved state."""
        self._successes[...] = state["tasks/successes"]
        self._counts[...] = state["tasks/counts"]
        self._set_shares()

    def _set_shares(self) -> None:
        self.shares = self._shares(self._successes.copy(), self._counts.copy())

    def _shares(self, successes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        found = self._settings.rule(successes, counts)
        shares = np.asarray(found, np.float64)
        usable = shares.shape == self._counts.shape and np.isfinite(shares).all()
        if not usable or (shares < 0).any() or not shares.any():
            raise errors.ConfigError(
                f"Curriculum.rule must return a share that is not negative for each of "
                f"{len(self._counts)} tasks, and not only 0; not {found!r:.80}",
                page="teams.md#curricula",
            )
        return shares / shares.sum()

    def _check_that_it_moves(self) -> None:
        """Tries the rule on what may come: the first tasks mastered, or one getting better.

        Raises:
          ConfigError: shares are the same after all of it.
        """
        num_tasks, window = self._successes.shape
        full = np.full(num_tasks, window, np.int64)
        for task in range(num_tasks):
            mastered, better = np.zeros((2, num_tasks, window), bool)
            mastered[: task + 1] = True
            better[task, window // 2 :] = True
            for successes in (mastered, better):
                if not np.array_equal(self._shares(successes, full.copy()), self.shares):
                    return
        raise errors.ConfigError(
            "Curriculum.rule never moves: whatever is mastered, its shares stay the same; bind "
            "another, or leave Trainer.curriculum unbound",
            page="teams.md#curricula",
        )


def _alike(successes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.ones(len(counts))
