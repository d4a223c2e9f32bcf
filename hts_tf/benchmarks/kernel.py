"""What the kernel counts of other processes: processor time, memory, children."""

import os
from pathlib import Path

from hts_tf.collecting.executor_pool import EXECUTOR
from hts_tf.system import processes


def processor_sec(pid: int) -> float:
    """Returns the processor time that a process has used, in user and kernel mode.

    Raises:
      OSError: there is no such process (any more).
    """
    fields = processes.fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pid: int) -> int:
    """Returns a process's proportional set size: what it shares is divided among the sharers.

    Raises:
      OSError: there is no such process (any more).
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} is ending")


def executors_of(trainer: int) -> list[int]:
    """Returns the process ids of a trainer's executors."""
    marker = f"{EXECUTOR}\0{trainer}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            pid = int(path.parent.name)
            # What an executor starts looks as it does, for a moment, but leads no session.
            if marker in path.read_bytes() and os.getsid(pid) == pid:
                found.append(pid)
        except OSError:  # it has just ended
            continue
    return sorted(found)
