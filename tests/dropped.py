"""Scenarios that tests drop into gfootball's folder: a copy of it."""

import contextlib
import functools
import sys
from pathlib import Path

import pytest

from hts_tf.environments.football import scenario, scenarios


def drop(folder, programs):
    """Makes a copy of gfootball, for processes that have the folder on their path.

    Args:
      folder: an empty one.
      programs: name -> text of a scenario that the copy has besides gfootball's.
    """
    import gfootball

    original, copy = Path(gfootball.__file__).parent, folder / "gfootball"
    (copy / "scenarios").mkdir(parents=True)
    for path in [*original.iterdir(), *(original / "scenarios").iterdir()]:
        if path.name not in ("scenarios", "__pycache__"):
            (copy / path.relative_to(original)).symlink_to(path)
    for name, text in programs.items():
        (copy / "scenarios" / f"{name}.py").write_text(text)


@contextlib.contextmanager
def dropped(folder, programs):
    """The same, and this process has them, too, for a while."""
    import gfootball.scenarios

    drop(folder, programs)
    names = *scenarios.names(), *programs
    with pytest.MonkeyPatch.context() as patch:
        path = [*gfootball.scenarios.__path__, str(folder / "gfootball" / "scenarios")]
        patch.setattr(gfootball.scenarios, "__path__", path)
        patch.setattr(scenarios, "names", functools.cache(lambda: names))
        yield
    for name in [name for name in sys.modules if name.startswith("gfootball.scenarios.")]:
        del sys.modules[name]
    scenario.load.cache_clear()
