"""A process that evaluates policies while their run trains on, in the time that this leaves."""

import contextlib
import json
import queue
import threading
import time
from collections import Counter
from pathlib import Path

from hts_tf import config, errors, operative
from hts_tf.files.evaluations import Evaluation, Evaluations
from hts_tf.files.workdir import Workdir
from hts_tf.networks.agent import Agent
from hts_tf.settings import Settings
from hts_tf.system import terminal
from hts_tf.system.child import Child, ChildError

SEED = 2**31 - 1  # of `hts_tf.evaluate`, which would play the same episodes

_BEAT = "."
_MANY = 20  # policies that wait: more than come together by chance
_PAUSE_SEC = 5.0  # between attempts to start it
_LONGEST_PAUSE_SEC = 5.0  # between two beats, one of which comes each second, if it works at all
_LOADING_SEC = 300.0  # that it may take to begin with, while the training has the processors


class EvaluationProcess:
    """Has a run's policies evaluated, in the order of their updates.

    Each waits in a file until that is done, so that none is lost if this process or the other one
    dies. All play the same episodes, of `SEED`.
    """

    def __init__(self, workdir: Path, settings: Settings) -> None:
        """Starts nothing yet.

        Args:
          workdir: of the run.
          settings: of the run, with `evaluate_every_updates`.
        """
        self._workdir = workdir
        self._settings = settings
        self._evaluations = Evaluations(workdir)
        self._last_updates = -1  # of what was added
        self._failures: Counter[Path] = Counter()
        self._next_start = 0.0  # not before
        self._asked: Path | None = None
        self._child: Child | None = None
        self._listener: threading.Thread | None = None
        self._heard: queue.SimpleQueue[str | ChildError] = queue.SimpleQueue()
        self._heard_at = 0.0
        self._has_begun = False
        self._is_warned = False

    def begin(self, updates: int) -> None:
        """Takes up what is waiting of a run with so many updates; what came after is made again.

        Its policy of now is evaluated, too, should `round_over` be told that the run is over.

        Raises:
          ConfigError: the table of evaluations is damaged.
        """
        known = {row.updates for row in self._evaluations.read()}
        for path in self._evaluations.waiting():
            known.add(int(path.stem))
            if int(path.stem) > updates:
                self._evaluations.drop(path)
        self._last_updates = updates if updates in known else updates - 1

    def round_over(
        self, agent: Agent, updates: int, env_steps: int, is_last: bool
    ) -> list[Evaluation]:
        """Has the policy evaluated if it is time; returns what has come of earlier ones.

        Args:
          agent: with the policy.
          updates: that have made it.
          env_steps: of the run.
          is_last: whether the run is over with it.

        Raises:
          OSError: a file cannot be written; names it.
        """
        is_due = updates > 0 and updates % self._settings.evaluate_every_updates == 0
        if (is_due or is_last) and updates > self._last_updates:
            self._last_updates = updates
            self._evaluations.add(agent, updates, env_steps)
            if self.num_waiting >= _MANY and not self._is_warned:
                self._is_warned = True
                terminal.warn(
                    f"{self.num_waiting} policies wait for their evaluations, which take longer "
                    "than it takes until the next one is due: they take up room, and the run ends "
                    "only when all are done; bind a larger Trainer.evaluate_every_updates",
                    page="watching.md#how-good-is-it-while-it-trains",
                )
        return self.ended()

    def ended(self) -> list[Evaluation]:
        """Returns the evaluations that have ended since the last call; sees to it that others do.

        Raises:
          OSError: a file cannot be written; names it.
        """
        ended = []
        while not self._heard.empty():
            said = self._heard.get()
            if isinstance(said, ChildError):
                self._fail(str(said))
            elif said != _BEAT:
                evaluation = Evaluation(*json.loads(said))
                try:
                    self._evaluations.end(self._asked, evaluation)
                except errors.ConfigError as error:  # of a table that somebody has changed
                    left_out = f"the policy of {evaluation.updates:,} updates is left out"
                    terminal.warn(f"{left_out}: {error}")
                    self._evaluations.drop(self._asked)
                else:
                    ended.append(evaluation)
                self._asked = None
        limit = self._settings.step_timeout_sec
        if limit is not None:
            limit = max(limit, _LONGEST_PAUSE_SEC if self._has_begun else _LOADING_SEC)
        if self._asked and limit is not None and time.monotonic() - self._heard_at > limit:
            self._fail(f"no env step or reset for {limit:g} s")
        self._ask()
        return ended

    @property
    def num_waiting(self) -> int:
        """How many policies are still to be evaluated."""
        return len(self._evaluations.waiting())

    @property
    def is_idle(self) -> bool:
        """Whether all has been evaluated that was to be."""
        return self._asked is None and not self._evaluations.waiting()

    def _ask(self) -> None:
        waiting = self._evaluations.waiting()
        if self._asked is not None or not waiting or time.monotonic() < self._next_start:
            return
        self._asked = waiting[0]
        if self._child is None:
            try:
                self._start()
            except OSError as error:  # such as that there is no memory for another process
                self._next_start = time.monotonic() + _PAUSE_SEC
                self._fail(f"no process for it: {error}")
                return
        self._heard_at = time.monotonic()
        with contextlib.suppress(ChildError):  # the listener hears of it, too
            self._child.say(str(self._asked))

    def _start(self) -> None:
        bound = operative.bindings(Workdir(self._workdir).configuration())
        arguments = [
            f"--workdir={self._workdir}",
            f"--episodes={self._settings.evaluate_episodes}",
            f"--seed={SEED}",
            *config.modules_flags(bound.get(operative.IMPORTS, ())),
        ]
        self._has_begun = False
        self._child = Child("hts_tf.evaluating", arguments)
        self._listener = threading.Thread(target=self._listen, args=(self._child,), daemon=True)
        self._listener.start()

    def _listen(self, child: Child) -> None:
        while True:
            try:
                self._heard.put(child.hear())
                self._heard_at = time.monotonic()
                self._has_begun = True
            except ChildError as error:
                self._heard.put(error)
                return

    def _fail(self, why: str) -> None:
        """Tries again what was being evaluated, or, in the end, does without."""
        self.close()
        path, self._asked = self._asked, None
        if path is None:
            return
        self._failures[path] += 1
        if self._failures[path] < self._settings.crash_limit:
            return
        terminal.warn(f"the policy of {int(path.stem):,} updates could not be evaluated: {why}")
        self._evaluations.drop(path)

    def close(self) -> None:
        """Ends the process; may be called twice."""
        if self._child is None:
            return
        self._child.kill()  # it has nothing to lose
        self._listener.join()
        self._child.__exit__(None, None, None)
        self._child = None
        self._heard = queue.SimpleQueue()
