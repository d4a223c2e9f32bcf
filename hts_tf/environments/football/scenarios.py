"""Which scenarios gfootball has."""

import functools
import importlib.util
import pathlib
import pkgutil


@functools.cache
def names() -> tuple[str, ...]:
    """Names the modules in `gfootball.scenarios`, none if gfootball is not installed.

    gfootball itself is not imported, as that starts an engine.
    """
    there = folder()
    if there is None:
        return ()
    return tuple(m.name for m in pkgutil.iter_modules([str(there)]) if not m.ispkg)


def folder() -> pathlib.Path | None:
    """Returns where they lie; None if gfootball is not installed."""
    spec = importlib.util.find_spec("gfootball")
    return pathlib.Path(spec.origin).parent / "scenarios" if spec else None
