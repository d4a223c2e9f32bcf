"""Trainings as processes of their own: one after the other, or several at once."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hts_tf import errors
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import Workdir
from hts_tf.system import stop_signals, terminal, whole
from hts_tf.system.child import Child, ChildError

_POLL_SEC = 0.5
_DIVERGED = "diverged.txt"  # in a workdir

_Place = TypeVar("_Place")
# Of a task, while it goes on; yields why it ends, once it has been interrupted.
_Steps = Iterator[stop_signals.Interrupted | None]


def nothing_left(name: str, workdir: Path) -> ChildError:
    """Returns the error that a training has ended without curves, or that these were removed."""
    return ChildError(
        f"{name}: the training has ended, but there is nothing of it in {workdir}",
        errors.RunError.code,
    )


def divergence(workdir: Path) -> str | None:
    """Returns how learning went out of bounds in a training that was made here, if it has.

    That is its result: who cannot be repeated would get another chance, where others get none.
    """
    try:
        return (workdir / _DIVERGED).read_text(encoding="utf-8")
    except OSError:
        return None


def has_more(workdir: Path, log: RunLog) -> bool:
    """Returns whether something is left to do for a run that has made its env steps.

    It may have yet to learn from the last of them, or to evaluate policies.

    Args:
      workdir: of the run.
      log: the same.
    """
    ending = Workdir(workdir).ending()
    if ending is None:  # its checkpoints have been removed, or it could not write its only one
        return log.is_cut_short
    return not ending


class Training(NamedTuple):
    """One of them.

    Attributes:
      name: for messages.
      workdir: where what it prints goes, too.
      flags: of `hts_tf.train`, but for these two and the workdir.
      gin_files: see `hts_tf.train`.
      gin_bindings: the same.
    """

    name: str
    workdir: Path
    flags: Sequence[str]
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]

    def steps(
        self, is_over: Callable[[], bool] = lambda: False, begin: Callable[..., Child] = Child
    ) -> _Steps:
        """Trains until the run is over, and yields while it does, for `together`.

        Interrupted, it ends once it has written a checkpoint.

        Args:
          is_over: asked again and again whether it is to end before its last env step.
          begin: a `Child`, or what is like one somewhere else.

        Raises:
          ChildError: the training refused its configuration, or failed; see also `divergence`.
        """
        self.workdir.mkdir(exist_ok=True, parents=True)
        (self.workdir / _DIVERGED).unlink(missing_ok=True)
        printed = self.workdir / "log.txt"
        arguments = [  # absolute: it may begin in another directory, on another machine
            *self.flags,
            f"--workdir={self.workdir.resolve()}",
            *(f"--gin_files={Path(path).resolve()}" for path in self.gin_files),
            *(f"--gin_bindings={binding}" for binding in self.gin_bindings),
        ]
        try:
            with begin("hts_tf.train", arguments, log=printed) as training:
                try:
                    while not training.has_ended():
                        yield
                        if is_over():
                            training.ask_to_end()
                except stop_signals.Interrupted as interruption:
                    terminal.tell(f"stopping {self.name} at its next sync point (again: at once)")
                    training.ask_to_end()
                    while not training.has_ended():
                        yield interruption
                    raise
        except ChildError as error:
            text = f"{self.name}: {error} (see {printed})"
            if error.code == errors.DivergenceError.code:
                whole.write(self.workdir / _DIVERGED, text.encode())
            raise ChildError(text, error.code) from None


def together(
    tasks: Iterable[Callable[[_Place], _Steps]], places: Sequence[_Place] = (None,)
) -> None:
    """Takes tasks in their order to their ends, as many at once as there are places.

    Args:
      tasks: called with the place that each is given; return what yields while they go on. If one
        fails, the others end at once; interrupted, all end in their own ways, which may take
        further steps.
      places: for one at a time each.
    """
    waiting = collections.deque(tasks)
    knows = None  # the task that has been interrupted already
    free = list(places)
    busy: list[tuple[_Place, _Steps]] = []
    with contextlib.ExitStack() as stack:
        try:
            while True:
                while waiting and free:
                    place = free.pop(0)
                    steps = waiting.popleft()(place)
                    stack.callback(steps.close)  # each, also if another's fails
                    busy.append((place, steps))
                for task in list(busy):
                    said = next(task[1], "over")
                    if said == "over":
                        busy.remove(task)
                        free.append(task[0])
                    elif said is not None:
                        knows = task[1]
                        raise said
                if busy:
                    time.sleep(_POLL_SEC)
                elif not waiting:
                    return
        except stop_signals.Interrupted as interruption:
            # All are asked to end before any is waited for.
            ending = [
                steps
                for _, steps in busy
                if steps is knows or _goes_on(interruption, steps.throw, interruption)
            ]
            while ending:
                time.sleep(_POLL_SEC)
                ending = [s for s in ending if _goes_on(interruption, next, s)]
            raise


def _goes_on(interruption: stop_signals.Interrupted, step: Callable[..., None], *of: Any) -> bool:
    """Takes a task that is interrupted on by a step; returns whether it has yet to end.

    One that fails now is told of: others end in their own ways, and the command as it was asked to.
    """
    try:
        step(*of)
    except stop_signals.Interrupted as error:
        if error is not interruption:  # another one: at once
            raise
        return False
    except StopIteration:
        return False
    except (errors.ConfigError, ChildError) as error:
        terminal.warn(str(error))
        return False
    return True
