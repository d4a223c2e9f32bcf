"""What a command does first, before anything else is imported; standard library only."""

import os
import signal
import sys
import time
from types import FrameType

LAUNCHED = time.monotonic()


def begin() -> None:
    """Makes the process one that may be left alone: whatever its streams are, whoever stops it."""
    _open_closed_streams()
    end_on_signals()


def end_on_signals() -> None:
    """From now on, SIGINT and SIGTERM end the process at once: it has nothing to put away."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)  # the launchers block them until here


def _open_closed_streams() -> None:
    """Else the next file to be opened would take a stream's number, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, this one
            os.set_inheritable(null, True)
            setattr(sys, name, open(null, "w" if number else "r"))  # noqa: PTH123, SIM115


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
