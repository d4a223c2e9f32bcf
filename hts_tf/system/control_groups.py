"""The control groups that this process is in: a container's limits are theirs."""

from collections.abc import Iterator
from pathlib import Path


def directories(controller: str, root: Path) -> Iterator[tuple[int, Path]]:
    """Yields (version, directory) of each group of a controller, the innermost first.

    Not all of them exist: inside a container, the path of a group may be the host's; then the
    container's own group is what is mounted at the top.

    Args:
      controller: 'cpu', 'memory' and so on.
      root: where `proc` and `sys` are mounted.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            version, mount = 2, ""
        elif controller in controllers.split(","):
            version, mount = 1, controller
        else:
            continue
        top = root / "sys/fs/cgroup" / mount
        group = top / path.lstrip("/")
        for directory in (group, *group.parents):  # an ancestor's limit binds as well
            yield version, directory
            if directory == top:
                break
