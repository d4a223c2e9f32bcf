"""gfootball's engine: whether it loads, and how it was built."""

import hashlib
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import hts_tf
from hts_tf.examining.finding import Finding, needs_set_up
from hts_tf.files import scope
from hts_tf.system import installation, processes

_FOOTBALL = Path(hts_tf.__file__).parent / "environments/football"


def is_wanted() -> bool:
    """Returns whether football is installed here, or the set-up would do that.

    In a wheel's place, where there is no checkout, most have none.
    """
    return installation.set_up_script() is not None or find_spec("gfootball") is not None


def not_wanted() -> Finding:
    """Gfootball's engine, where nobody wants it."""
    detail = f"not installed, optional: {installation.football_command()}"
    return Finding("gfootball engine", detail)


def engine() -> Finding:
    """The football engine: whether it loads, and the flags and patch that it was built with.

    It is loaded in a process of its own: one built for another processor kills its process.
    """
    command = [sys.executable, "-c", "import gfootball_engine"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        why = said[-1] if said else f"importing it {processes.how_it_ended(result.returncode)}"
        return needs_set_up("gfootball engine", why)
    build = scope.engine_build()
    if not build:
        detail = "loads, but was not built by the set-up (the stock build is slower)"
        return needs_set_up("gfootball engine", detail)
    flags = build["cxxflags"]
    wanted = build_settings()["CXXFLAGS"]
    if flags != wanted:
        return needs_set_up("gfootball engine", f"built with {flags}, not {wanted}")
    if build.get("patch") != engine_patch_hash():
        detail = "built without the patch that is in hts_tf, or with another one"
        return needs_set_up("gfootball engine", detail)
    return Finding("gfootball engine", f"loads; patched; {flags}")


def build_settings() -> dict[str, str]:
    """Returns what engine_build.env assigns: CXXFLAGS, DEBIAN_PACKAGES, ..."""
    text = (_FOOTBALL / "engine_build.env").read_text()
    return dict(token.split("=", 1) for token in shlex.split(text, comments=True))


def engine_patch_hash() -> str:
    """Returns the SHA-256 of engine.patch."""
    return hashlib.sha256((_FOOTBALL / "engine.patch").read_bytes()).hexdigest()
