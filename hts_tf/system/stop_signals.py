"""Signals that ask for an end, instead of making one."""

import signal

from hts_tf.system import terminal


class StopSignals:
    """Within its `with` block, SIGINT and SIGTERM are noted; a second one does not wait.

    Attributes:
      received: the first of them, if there was one.
    """

    def __init__(self, stops: str) -> None:
        """Takes when it is that a run stops, for the message: 'at ...' or 'after ...'."""
        self.received: signal.Signals | None = None
        self._stops = stops

    def __enter__(self) -> None:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._handlers = {number: signal.signal(number, self._note) for number in numbers}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        terminal.tell(f"\n{self.received.name}: stopping {self._stops} (again: at once)")
