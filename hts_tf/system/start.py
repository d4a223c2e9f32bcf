"""What a command does first, before anything else is imported; standard library only."""

import ctypes
import os
import signal
import sys
import time
from types import FrameType

LAUNCHED = time.monotonic()
is_tied = False  # whether another command of ours has started this process
_PARENT = "HTS_TF_PARENT"  # environment variable: see `tied`
_PR_SET_PDEATHSIG = 1


def begin() -> None:
    """Makes the process one that may be left alone: whatever its streams are, whoever stops it."""
    global is_tied
    is_tied = _PARENT in os.environ
    if is_tied:
        parent, _, how = os.environ.pop(_PARENT).partition(":")  # not that of its own children
        end_with_parent(int(parent), int(how or signal.SIGKILL))
    _open_closed_streams()
    # Who has started it may have ignored that, and then nobody could wait for children.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    end_on_signals()


def tied(how: int = signal.SIGKILL) -> dict[str, str]:
    """Returns the environment variable by which a command of ours ends with this process.

    It sees to that itself: the `preexec_fn` of `subprocess` would have to copy this process, which
    takes long where there is much memory, and fails where there is no more of it.

    Args:
      how: the signal that it gets then.
    """
    return {_PARENT: f"{os.getpid()}:{int(how)}"}


def end_with_parent(parent: int, how: int = signal.SIGKILL) -> None:
    """Has the kernel signal this process when the thread that started it is gone, or was already.

    Args:
      parent: the process id of who started it.
      how: the signal.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        os._exit(1)


def stopping() -> tuple[signal.Signals, ...]:
    """Returns the signals that ask a command for an end.

    They are those of Ctrl-C, of who stops a job, and of a terminal that is closed, unless `nohup`
    has that ignored.
    """
    is_kept = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return signal.SIGINT, signal.SIGTERM, *(() if is_kept else (signal.SIGHUP,))


def end_on_signals() -> None:
    """From now on, `stopping` signals end the process at once: it has nothing to clean up."""
    for number in stopping():
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping())  # the launchers block some until here


def _open_closed_streams() -> None:
    """Else the next file to be opened would take a stream's number, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, this one
            os.set_inheritable(null, True)
            mode = "w" if number else "r"
            setattr(sys, name, open(null, mode, closefd=False))  # noqa: SIM115


def _end(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
