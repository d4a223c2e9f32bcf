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
    spec = importlib.util.find_spec("gfootball")
    if spec is None:
        return ()
    folder = pathlib.Path(spec.origin).parent / "scenarios"
    return tuple(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.ispkg)
