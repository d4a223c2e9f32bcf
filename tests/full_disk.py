"""A disk on which files cannot grow, by the limit that processes have for their size."""

import contextlib
import resource


@contextlib.contextmanager
def room_for(size):
    """Within its block, no file of this process and its children gets larger than that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
