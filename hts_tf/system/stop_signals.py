"""Signals that ask for an end: raised where the program is, or noted instead."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

from hts_tf.system import start, terminal

_PASSED_ON_SEC = 5.0


class Interrupted(BaseException):
    """One of `start.stopping` came.

    Not KeyboardInterrupt: when one has passed through `exec` or `eval`, Python ends by SIGINT at
    last, whatever the exit code. Not SystemExit, which also comes out of modules of others.

    Attributes:
      code: to exit with.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


_raised: signal.Signals | None = None


def unwind() -> None:
    """From now on, each of `start.stopping` raises `Interrupted`, wherever the program is."""
    global _raised
    _raised = None
    _unwind()


def _unwind() -> None:
    for number in start.stopping():
        signal.signal(number, _raise)


def _raise(number: int, _: FrameType | None) -> None:
    global _raised
    if _is_repeated(number, _raised):
        return
    _raised = signal.Signals(number)
    raise Interrupted(number)


def _is_repeated(number: int, before: int | None) -> bool:
    """Returns whether it is of a terminal that is closed after another one: nobody insists.

    The kernel says so, shells pass it on, and who ends a session sends others before it.
    """
    return number == signal.SIGHUP and before is not None


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Within its `with` block, `start.stopping` wait; at its end the first of them comes."""
    came = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.signal(number, note) for number in start.stopping()}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def not_swallowed() -> Iterator[None]:
    """Within its `with` block a library may set handlers of its own, or swallow what is raised.

    Raises:
      Interrupted: it has swallowed a signal; at the block's end.
    """
    global _raised
    before, _raised = _raised, None
    try:
        yield
    finally:
        _unwind()
        came, _raised = _raised, _raised or before
        if came:
            raise Interrupted(came)


class StopSignals:
    """Within its `with` block, `start.stopping` are noted; a second one does not wait.

    Attributes:
      received: the first of them, if there was one.
    """

    def __init__(self, stops: str) -> None:
        """Takes when it is that a run stops, for the message: 'at ...' or 'after ...'."""
        self.received: signal.Signals | None = None
        self._stops = stops

    def __enter__(self) -> None:
        self._handlers = {number: signal.signal(number, self._note) for number in start.stopping()}
        if _raise in self._handlers.values() and _raised is not None:
            # And lost: libraries swallow what they do not expect.
            self._note(_raised, None)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if _is_repeated(number, self.received):
            return
        if self.received is not None:
            # Who ends a whole job has signalled this process and its parent, which passes it on.
            if start.is_tied and time.monotonic() - self._at < _PASSED_ON_SEC:
                return
            raise Interrupted(self.received)
        self.received = signal.Signals(number)
        self._at = time.monotonic()
        terminal.tell(f"\n{self.received.name}: stopping {self._stops} (again: at once)")
