"""What the kernel says of processes, in /proc, and what it allows them."""

import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from hts_tf import errors

# Environment variables: in each of several processes, a pool of BLAS threads would only take
# processor time.
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def how_it_ended(code: int) -> str:
    """Returns how a process did, of this exit code; below 0, it is that of a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # most of the real-time ones have numbers only
        return f"was killed by signal {-code}"


def fields(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from the third on: state, parent, group, session, ...

    The second one, the name, may hold anything: blanks, parentheses, and half a character, as it is
    cut after 15 bytes.

    Raises:
      OSError: there is no such process (any more).
    """
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()


def all_fields() -> Iterator[tuple[int, list[str]]]:
    """Yields the id and `fields` of all processes that there are."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            yield int(path.name), fields(int(path.name))


def cleans_up(pid: int) -> bool:
    """Returns whether a process removes what others leave in shared memory, and ends after them.

    Python's `multiprocessing` starts such a one, which must not be killed with them.
    """
    try:
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def descendants(ancestor: int) -> list[int]:
    """Returns a process's children, theirs, and so on; parents come before their children."""
    parents = {pid: int(parent) for pid, (_, parent, *_) in all_fields()}
    found = [ancestor]
    for one in found:  # which grows meanwhile
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def allow_open_files(number: int, advice: str) -> None:
    """Lets this process, and those that it starts, have so many files open at once.

    Raises:
      ConfigError: that is more than the system permits; it ends with the advice.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or number <= soft:
        return
    if hard != resource.RLIM_INFINITY and number > hard:
        raise errors.ConfigError(
            f"{number:,} open files are needed, but only {hard:,} permitted: {advice}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
