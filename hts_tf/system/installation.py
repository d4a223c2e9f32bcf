"""How this package was installed, and so the commands that add what is missing."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from hts_tf import errors

_CHECKOUT = Path(__file__).parents[2]
# What launch/setup.sh installs without being asked.
ALWAYS_SET_UP = ("football", "plot", "report", "video", "test")


def set_up_script() -> str | None:
    """Returns launch/setup.sh, quoted for a shell; None where there is no checkout."""
    script = _CHECKOUT / "launch/setup.sh"
    return shlex.quote(str(script)) if script.exists() else None


def football_command() -> str:
    """Returns the command that builds the football engine, or how to get it."""
    return set_up_script() or "get a checkout of hts_tf and run its ./launch/setup.sh"


def extra_command(extra: str) -> str:
    """Returns the command that installs an extra."""
    script = set_up_script()
    if script:
        return f"{script} --force" if extra in ALWAYS_SET_UP else f"{script} --extras={extra}"
    return shlex.join([sys.executable, "-m", "pip", "install", f"hts_tf[{extra}]"])


@contextlib.contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Within its block, an import that fails is an extra that is missing.

    Args:
      extra: that brings what is imported.
      what: needs it.

    Raises:
      ConfigError: it cannot be imported; says what to install.
    """
    try:
        yield
    except ImportError as error:
        raise errors.ConfigError(
            f"{what} needs packages that are not there ({errors.in_a_line(error)}): "
            f"{extra_command(extra)} installs them"
        ) from error


def shipped(name: str) -> Path:
    """Returns a directory that comes along: inside an installed package, or beside a checkout's."""
    installed = Path(__file__).parents[1] / name
    return installed if installed.is_dir() else _CHECKOUT / name
