"""Processes that take only the time that others leave."""

import contextlib
import os
from pathlib import Path


def give_way() -> None:
    """Has this process, which must lead a session, give way to all others.

    Linux shares processors out between sessions before it looks at processes (sched(7), autogroup),
    so the session has to give way, too.
    """
    os.nice(19)
    with contextlib.suppress(OSError):  # a kernel without it
        Path("/proc/self/autogroup").write_text("19", encoding="utf-8")
