"""How many processor cores this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path

from hts_tf.system import control_groups


def usable_cores(root: Path = Path("/")) -> int:
    """Returns the number of cores that this process may run on, at least 1.

    A control group's quota, such as a container's, counts as so many cores, rounded up.

    Args:
      root: where `proc` and `sys` are mounted.
    """
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(root)]))


def _quotas(root: Path) -> Iterator[int]:
    """Yields the quota of each control group that has one, in cores."""
    for version, directory in control_groups.directories("cpu", root):
        try:
            if version == 2:
                quota, period = (directory / "cpu.max").read_text().split()
            else:
                quota, period = (
                    (directory / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
                )
        except OSError:
            continue
        if quota != "max" and int(quota) > 0:  # -1 for none in version 1
            yield -(-int(quota) // int(period))
