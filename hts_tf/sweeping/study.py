"""The study of a sweep: what is tried next, and what is not worth going on with.

What is tried, Optuna says: its sampler is a tree-structured Parzen estimator (Bergstra et al.
2011). The median rule, which ends what is worse than half of those before at the same point
(Golovin et al. 2017), is our own: Optuna's looks at the best that a trial ever was at, which is its
beginning where scores are negative.
Nothing of it is kept: the same seed, asked and told the same, goes on the same way, so a sweep that
was interrupted is made again from the directories of its trials.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna

from hts_tf.sweeping.record import COMPLETE, DIVERGED, PRUNED, REFUSED, UNFINISHED
from hts_tf.sweeping.space import Parameter

MARKS = 20  # of each run, at which a trial is judged
_FIRST = 5  # that must be complete before another is worse than half of them
_GRACE = 5  # marks of the first run up to which no trial is ended: what they score then is luck


class Trial:
    """One choice of values: several runs, one after the other.

    Attributes:
      number: from 0 on.
      bindings: of the values, lines of gin.
      state: `COMPLETE`, `PRUNED`, `DIVERGED`, `REFUSED`, or `UNFINISHED`.
    """

    def __init__(self, trial: optuna.Trial, space: Sequence[Parameter], num_runs: int) -> None:
        """Draws the values."""
        self._trial = trial
        self._num_runs = num_runs
        self._reported: list[float] = []  # the value at each mark
        self._values_of_runs = [0.0] * num_runs
        self.number = trial.number
        self.bindings = [p.binding(_suggest(trial, p)) for p in space]
        self.state = UNFINISHED

    @property
    def value(self) -> float:
        """Up to now; see `Study`."""
        return float(np.mean(self._values_of_runs))

    def take(
        self, run: int, places: np.ndarray, scores: np.ndarray, budget: float, ended: bool
    ) -> bool:
        """Takes what a run has come to, and returns whether the trial, or this run, is over.

        Args:
          run: its number; runs before it are over.
          places: env steps or minutes made so far at which there are scores.
          scores: there.
          budget: env steps or minutes of a run.
          ended: whether there will be no more: its last score stands for the rest.
        """
        while self.state == UNFINISHED and len(self._reported) < (run + 1) * MARKS:
            mark = (len(self._reported) % MARKS + 1) / MARKS * budget
            if not ended and (not len(places) or places[-1] < mark):
                return False
            self._values_of_runs[run] = area(places, scores, mark) / budget
            self._report(self.value)
            if len(self._reported) == self._num_runs * MARKS:
                self.state = COMPLETE
            elif len(self._reported) > _GRACE and self._is_worse_than_half():
                self.state = PRUNED
        return True

    def _report(self, value: float) -> None:
        self._reported.append(value)
        self._trial.report(value, len(self._reported))

    def _is_worse_than_half(self) -> bool:
        """Returns whether its value is below the median of the complete ones' at this mark."""
        complete = self._trial.study.get_trials(
            deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)
        )
        values = [trial.intermediate_values[len(self._reported)] for trial in complete]
        return len(values) >= _FIRST and self.value < np.median(values)

    def judgement(self) -> dict[str, Any]:
        """Returns what `recall` takes, of a trial that is over; as JSON has it."""
        return {"state": self.state, "runs": self._values_of_runs, "marks": self._reported}

    def recall(self, judgement: Mapping[str, Any]) -> None:
        """Is over, as it was: where trainings do not repeat, their curves may say otherwise now."""
        self.state, self._values_of_runs = judgement["state"], judgement["runs"]
        for value in judgement["marks"]:
            self._report(value)

    def diverge(self) -> None:
        """Learning has gone out of bounds: it is as if the rest had brought nothing."""
        self.state = DIVERGED

    def refuse(self) -> None:
        """Its values do not go together, and nothing is made of it."""
        self.state = REFUSED


class Study:
    """Draws trials, and judges them.

    A trial's value is the mean over its runs of the score, averaged over all of a run's env steps
    (or minutes): early successes count as late ones do. Before the first score it is 0.
    """

    def __init__(self, space: Sequence[Parameter], num_runs: int, seed: int) -> None:
        """Begins with nothing.

        Args:
          space: that is searched.
          num_runs: of each trial.
          seed: of what is drawn.
        """
        self._space = space
        self._num_runs = num_runs
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        self._study = optuna.create_study(
            direction="maximize", sampler=sampler, pruner=optuna.pruners.NopPruner()
        )

    def ask(self) -> Trial:
        """Returns what is to be tried next."""
        return Trial(self._study.ask(), self._space, self._num_runs)

    def tell(self, trial: Trial) -> None:
        """Takes a trial that is over."""
        if trial.state == COMPLETE:
            self._study.tell(trial.number, trial.value)
        else:  # worse than all that are complete, whatever their values
            self._study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)


def area(places: np.ndarray, scores: np.ndarray, end: float) -> float:
    """Returns the area under a curve from 0 to a place that it has reached, 0 before its start."""
    inside = places < end
    if not inside.any():
        return 0.0
    x = np.concatenate([places[:1], places[inside], [end]])
    y = np.concatenate([scores[:1], scores[inside], [np.interp(end, places, scores)]])
    return float(np.trapezoid(y, x))


def _suggest(trial: optuna.Trial, parameter: Parameter) -> float | str:
    name, kind, values = parameter
    if kind == "one_of":
        return trial.suggest_categorical(name, values)
    if kind == "whole":
        return trial.suggest_int(name, *values)
    return trial.suggest_float(name, *values, log=kind == "log")
