"""How much memory this process may still use."""

from collections.abc import Iterator
from pathlib import Path


def memory_available_bytes(root: Path = Path("/")) -> int:
    """Returns the bytes that can be allocated before something is killed for it.

    That is the least of the machine's MemAvailable and, for every control group that this process
    is in (a container's limit is one), its limit less its use.  Page cache that the kernel would
    give back counts as unused.

    Args:
      root: where `proc` and `sys` are mounted.

    Raises:
      OSError: there is no /proc/meminfo.
    """
    return max(0, min([_mem_available(root), *_cgroup_headrooms(root)]))


def _mem_available(root: Path) -> int:
    """Returns MemAvailable, which /proc/meminfo gives in units of 1024 bytes."""
    return _fields(root / "proc/meminfo")["MemAvailable:"] * 1024


def _cgroup_headrooms(root: Path) -> Iterator[int]:
    """Yields limit less use, in bytes, of each memory control group with a limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":  # version 2
            mount, limit, use, cache = "", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):  # version 1
            mount, limit = "memory", "memory.limit_in_bytes"
            use, cache = "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        top = root / "sys/fs/cgroup" / mount
        group = top / path.lstrip("/")
        # An ancestor's limit binds as well.  Inside a container the path may be the host's and not
        # exist; then the container's own group is what is mounted at the top.
        for directory in (group, *group.parents):
            if (directory / limit).is_file():
                yield from _headroom(directory / limit, directory / use, cache)
            if directory == top:
                break


def _headroom(limit: Path, use: Path, cache: str) -> Iterator[int]:
    """Yields limit - (use - cache) in bytes, or nothing where there is no limit."""
    text = limit.read_text().strip()
    if text != "max":
        reclaimable = _fields(limit.with_name("memory.stat")).get(cache, 0)
        yield int(text) - int(use.read_text()) + reclaimable


def _fields(path: Path) -> dict[str, int]:
    """Returns a file of lines "NAME NUMBER [UNIT]" as a dictionary."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}
