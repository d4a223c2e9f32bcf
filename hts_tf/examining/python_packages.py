"""Python packages beside what is required of them, and the operations that are compiled for one."""

import shlex
import sys
from collections.abc import Iterator
from importlib import metadata

from hts_tf.examining.finding import Finding, needs_set_up
from hts_tf.networks import native_ops

try:
    from packaging.requirements import Requirement
except ImportError:  # an interpreter that hts_tf is not installed for
    Requirement = None


def requirements(has_football: bool = True) -> Iterator[Finding]:
    """Yields each requirement of the installed hts_tf beside the version that is there.

    Args:
      has_football: whether those of football count as such; else they are optional.
    """
    try:
        wanted = metadata.requires("hts_tf") or []
    except metadata.PackageNotFoundError:
        wanted = None
    if Requirement is None or wanted is None:
        yield needs_set_up("Python packages", f"hts_tf is not installed for {sys.executable}")
        return
    # Several extras may want the same.
    yield from dict.fromkeys(
        found
        for text in wanted
        for requirement in _by_itself(Requirement(text))
        for found in compare(requirement, has_football)
    )


def _by_itself(requirement: "Requirement") -> Iterator["Requirement"]:
    """Yields a requirement of any version with extras as those that the extras stand for."""
    if requirement.specifier or not requirement.extras:
        yield requirement
        return
    try:
        inner = metadata.requires(requirement.name) or []
    except metadata.PackageNotFoundError:
        yield requirement
        return
    for text in inner:
        found = Requirement(text)
        if found.marker and any(
            found.marker.evaluate({"extra": extra}) > found.marker.evaluate({"extra": ""})
            for extra in requirement.extras
        ):
            found.marker = requirement.marker  # as optional as what asks for it
            yield found


def compare(requirement: "Requirement", has_football: bool = True) -> Iterator[Finding]:
    """Yields whether a requirement is met; that of an extra but football is optional."""
    marker = requirement.marker
    needed = ("", "football") if has_football else ("",)
    optional = marker is not None and not any(marker.evaluate({"extra": extra}) for extra in needed)
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        if optional:
            yield Finding(requirement.name, f"not installed, optional ({requirement.specifier})")
            return
        problem = f"not installed ({requirement.specifier})"
    else:
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, f"{version} ({requirement.specifier})")
            return
        problem = f"{version} is not {requirement.specifier}"
    if requirement.name == "gfootball":  # pip alone would build it without our flags
        yield needs_set_up(requirement.name, problem)
    else:
        wanted = f"{requirement.name}{requirement.specifier}"
        command = [sys.executable, "-m", "pip", "install", wanted]
        yield Finding(requirement.name, problem, shlex.join(command))


def own_operations(has_football: bool = True) -> Finding:
    """The operations that are compiled for TensorFlow; football trains without, but slower.

    Args:
      has_football: whether anybody needs them.
    """
    try:
        library = native_ops.path()
    except metadata.PackageNotFoundError:
        return needs_set_up("native_ops", "TensorFlow, which they are for, is missing")
    if library.exists():
        return Finding("native_ops", str(library))
    command = shlex.join([sys.executable, "-m", "hts_tf.networks.native_ops"])
    if not has_football:
        return Finding("native_ops", f"not compiled, for football's maps, optional: {command}")
    return Finding("native_ops", "not compiled: training works, but slower", command)
