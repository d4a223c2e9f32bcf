"""Trainings as processes of their own, one after the other or several at once."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from hts_tf.system import stop_signals, terminal
from hts_tf.system.child import Child, ChildError

_POLL_SEC = 0.5

_Place = TypeVar("_Place")


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
    ) -> Iterator[None]:
        """Trains until the run is over, and yields while it does, for `together`.

        Interrupted, it ends once it has written a checkpoint.

        Args:
          is_over: asked again and again whether it is to end before its last env step.
          begin: a `Child`, or what is like one somewhere else.

        Raises:
          ChildError: the training refused its configuration, or failed.
        """
        self.workdir.mkdir(exist_ok=True, parents=True)
        printed = self.workdir / "log.txt"
        arguments = [
            *self.flags,
            f"--workdir={self.workdir}",
            *(f"--gin_files={path}" for path in self.gin_files),
            *(f"--gin_bindings={binding}" for binding in self.gin_bindings),
        ]
        try:
            with begin("hts_tf.train", arguments, log=printed) as training:
                try:
                    while not training.has_ended():
                        yield
                        if is_over():
                            training.stop()
                            break
                except stop_signals.Interrupted:
                    terminal.tell(f"stopping {self.name} at its next sync point (again: at once)")
                    training.stop()
                    raise
        except ChildError as error:
            raise ChildError(f"{self.name}: {error} (see {printed})", error.code) from None


def together(
    tasks: Iterable[Callable[[_Place], Iterator[None]]], places: Sequence[_Place] = (None,)
) -> None:
    """Takes tasks in their order to their ends, as many at once as there are places.

    Args:
      tasks: called with the place that each is given; return what yields while they go on. If one
        fails, the others end at once; interrupted, all end in their own ways.
      places: for one at a time each.
    """
    waiting = collections.deque(tasks)
    free = list(places)
    busy: list[tuple[_Place, Iterator[None]]] = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [steps.close() for _, steps in busy])
        try:
            while True:
                while waiting and free:
                    place = free.pop(0)
                    busy.append((place, waiting.popleft()(place)))
                for task in list(busy):
                    if next(task[1], "over") == "over":
                        busy.remove(task)
                        free.append(task[0])
                if busy:
                    time.sleep(_POLL_SEC)
                elif not waiting:
                    return
        except stop_signals.Interrupted as interruption:
            for _, steps in busy:
                with contextlib.suppress(stop_signals.Interrupted):
                    steps.throw(interruption)
            raise
