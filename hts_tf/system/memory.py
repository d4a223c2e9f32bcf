"""How much memory this process may still use."""

from collections.abc import Iterator
from pathlib import Path

from hts_tf import errors
from hts_tf.system import control_groups


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


def require(nbytes: int, what: str) -> None:
    """Raises: ConfigError: so many bytes are not available.

    Args:
      nbytes: that are about to be allocated.
      what: needs them, and what to lower.
    """
    available = memory_available_bytes()
    if nbytes > available:
        raise errors.ConfigError(
            f"{nbytes:,} bytes of memory are needed, but only {available:,} are available: {what}",
            page="faq.md#how-large-may-observations-and-networks-be",
        )


def _mem_available(root: Path) -> int:
    """Returns MemAvailable, which /proc/meminfo gives in units of 1024 bytes."""
    return _fields(root / "proc/meminfo")["MemAvailable:"] * 1024


def _cgroup_headrooms(root: Path) -> Iterator[int]:
    """Yields limit less use, in bytes, of each memory control group with a limit."""
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }
    for version, directory in control_groups.directories("memory", root):
        limit, use, cache = names[version]
        if (directory / limit).is_file():
            yield from _headroom(directory / limit, directory / use, cache)


def _headroom(limit: Path, use: Path, cache: str) -> Iterator[int]:
    """Yields limit - (use - cache) in bytes, or nothing where there is no limit."""
    text = limit.read_text(encoding="utf-8").strip()
    if text != "max":
        reclaimable = _fields(limit.with_name("memory.stat")).get(cache, 0)
        yield int(text) - int(use.read_text(encoding="utf-8")) + reclaimable


def _fields(path: Path) -> dict[str, int]:
    """Returns a file of lines "NAME NUMBER [UNIT]" as a dictionary."""
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: int(row[1]) for row in rows}
