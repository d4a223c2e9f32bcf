"""What the distribution brings: the interpreter, Boost.Python, and other Debian packages."""

import subprocess
import sys
from pathlib import Path

from hts_tf.examining import engine_build
from hts_tf.examining.finding import Finding, needs_set_up, packages_command


def python() -> Finding:
    """The interpreter: Boost.Python fits only the distribution's own."""
    detail = f"{sys.version.split()[0]}, {sys.executable}"
    if Path(sys.base_prefix) != Path("/usr"):
        detail += ": not the distribution's, which Boost.Python is for"
        return needs_set_up("Python", detail)
    return Finding("Python", detail)


def boost_python(usr: Path = Path("/usr")) -> Finding:
    """The Boost.Python library for this interpreter, which the engine is linked with."""
    name = f"libboost_python{sys.version_info.major}{sys.version_info.minor}.so"
    found = [path for path in usr.glob(f"lib/**/{name}") if path.exists()]
    if found:
        return Finding("Boost.Python", str(found[0].resolve()))
    command = packages_command("libboost-python-dev")
    return Finding("Boost.Python", f"{name} is missing", command)


def debian_packages() -> Finding:
    """The Debian packages that building the engine needs."""
    wanted = engine_build.build_settings()["DEBIAN_PACKAGES"].split()
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    try:
        lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    except FileNotFoundError:
        detail = "not a Debian or Ubuntu system"
        return Finding("Debian packages", detail, advice="use Debian or Ubuntu")
    installed = {name for name, status in map(str.split, lines) if status == "installed"}
    missing = [package for package in wanted if package not in installed]
    if missing:
        names = " ".join(missing)
        return Finding("Debian packages", f"missing: {names}", packages_command(names))
    return Finding("Debian packages", f"all {len(wanted)} installed")
