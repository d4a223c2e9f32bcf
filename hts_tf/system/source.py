"""Whether the source is still what this process has begun with."""

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


class Source:
    """The files of this package, and of whatever else has been imported by now."""

    def __init__(self) -> None:
        modules = (getattr(module, "__dict__", {}) for module in [*sys.modules.values()])
        files = {str(file) for module in modules if (file := module.get("__file__"))}
        files |= {str(path) for path in _PACKAGE.rglob("*.py")}
        self._seen = {path: _stamp(path) for path in sorted(files)}

    def changed(self) -> list[str]:
        """Returns the files that are not as they were; each time that they change, once."""
        now = {path: _stamp(path) for path in self._seen}
        changed = [path for path, stamp in now.items() if stamp != self._seen[path]]
        self._seen = now
        return changed


def _stamp(path: str) -> tuple[int, ...]:
    """Returns what is another where a file is; nothing where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  thousands of files
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
