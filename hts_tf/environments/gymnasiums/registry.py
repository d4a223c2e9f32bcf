"""Gymnasium's registry: what an id stands for, or in one line why there is nothing.

Gymnasium is imported inside functions: who only knows of this module needs no such package.
"""

import contextlib
import importlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hts_tf import errors
from hts_tf.system import installation

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

ATARI, MUJOCO, BOX2D = "atari", "mujoco", "box2d"
CLASSIC_CONTROL, GYMNASIUM = "classic_control", "gymnasium"

# Where the registered entry points of a family are.
_FAMILIES = {
    "ale_py": ATARI,
    "gymnasium.envs.mujoco": MUJOCO,
    "gymnasium.envs.box2d": BOX2D,
    "gymnasium.envs.classic_control": CLASSIC_CONTROL,
}
_EXTRAS = {CLASSIC_CONTROL: GYMNASIUM}  # of setup.py; others are called as the family is

_TRUSTED = (
    "gymnasium",
    "ale_py",
    "hts_tf",
    "pettingzoo",
    "mpe2",
)  # packages that are imported when asked for

_ID = re.compile(r"[\w:./-]+-v\d+|[\w.]+:\S+|ALE/\S+")
_ATARI_ID = re.compile(r"ALE/.+|\w+NoFrameskip-v\d")
_REFERENCE = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_].*")


def looks_like_id(text: str) -> bool:
    """Returns whether a text has the form of an id, with a version, a namespace or a module."""
    return bool(_ID.fullmatch(text))


def split(env_id: str) -> tuple[str, str]:
    """Returns (module, registered id) of 'module:id'; the module is "" if there is none."""
    module, _, name = env_id.rpartition(":")
    return module, name


def names() -> list[str]:
    """Returns all ids that are registered; none where Gymnasium is not installed."""
    try:
        gymnasium = _gymnasium()
    except errors.ConfigError:
        return []
    _load_ale()
    return sorted(gymnasium.registry)


def find(env_id: str) -> "EnvSpec":
    """Returns what is registered.

    Args:
      env_id: as `gymnasium.make` takes it; a module in it that is not trusted must have been
        imported.

    Raises:
      ConfigError: nothing is, or a package is missing.
    """
    gymnasium = _gymnasium()
    module, name = split(env_id)
    if module:
        with contextlib.suppress(errors.ConfigError):  # what is missing is said below
            imported("id", module)
    if name not in gymnasium.registry:  # ALE registers itself only when it is imported
        failure = _load_ale()
        if failure and _ATARI_ID.fullmatch(name):
            raise missing(env_id, ATARI, failure)
    if name in gymnasium.registry:
        return gymnasium.registry[name]
    raise errors.ConfigError(f"Gymnasium.id = {env_id!r} is not registered: {_reason(name)}")


def family(registered: "EnvSpec") -> str:
    """Returns the name of the gin file that an environment starts from."""
    entry_point = registered.entry_point
    place = entry_point if isinstance(entry_point, str) else getattr(entry_point, "__module__", "")
    found = (name for start, name in _FAMILIES.items() if re.match(rf"{start}[.:]", f"{place}."))
    return next(found, GYMNASIUM)


def missing(env_id: str, which: str, failure: str) -> errors.ConfigError:
    """Returns the error of an environment whose family's packages cannot be imported."""
    extra = _EXTRAS.get(which, which)
    return errors.ConfigError(
        f"Gymnasium.id = {env_id!r} needs packages that are not there ({failure}): "
        f"{installation.extra_command(extra)} installs them"
    )


def is_trusted(module: str) -> bool:
    """Returns whether a module is of a package that may be imported whoever asks for it."""
    return module.partition(".")[0] in _TRUSTED


def imported(what: str, module: str, owner: str = "Gymnasium") -> ModuleType:
    """Returns a module that a binding names.

    A workdir's configuration may be from anybody, and who decides what is imported decides what is
    done. So bindings import nothing: gin's import statements do, which `config.load_text` checks.

    Args:
      what: of the owner names it.
      module: its name.
      owner: the configurable.

    Raises:
      ConfigError: it has not been imported.
    """
    if module in sys.modules:
        return sys.modules[module]
    if not is_trusted(module):
        raise errors.ConfigError(
            f"{owner}.{what} names {module}, which is not imported: "
            f"add the line 'import {module}' to the gin file"
        )
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise errors.ConfigError(f"{owner}.{what}: {errors.in_a_line(error)}") from error


def check_strings(what: str, value: Any, owner: str = "Gymnasium") -> None:
    """Raises: ConfigError: a text in a binding names a module's member; see `imported`."""
    for text in _strings(value):
        reference = _REFERENCE.fullmatch(text)
        if reference and _can_be_imported(reference[1]):
            imported(what, reference[1], owner)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _strings(pair)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _strings(part)


def _can_be_imported(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):  # of what has none, such as __main__
        return True


def _gymnasium() -> ModuleType:
    with installation.needing("gymnasium", "Gymnasium"):
        import gymnasium
    return gymnasium


def quieten(which: str) -> None:
    """Stops what a family's simulator writes each time that an environment is built.

    Args:
      which: family.

    Raises:
      ImportError: it is not installed.
    """
    if which == ATARI:
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    elif which == MUJOCO:
        import mujoco

        # By itself it writes them to a file in the current directory, too.
        mujoco.set_mju_user_warning(_warn)


def _warn(text: str) -> None:
    """Passes on what a simulator warns of, but not what its models' authors are to change."""
    if "deprecated" not in text:
        warnings.warn(text, stacklevel=2)


def _load_ale() -> str:
    """Imports the Arcade Learning Environment; returns why it cannot be, or ""."""
    try:
        import ale_py  # noqa: F401
    except ImportError as error:
        return errors.in_a_line(error)
    return ""


def _reason(name: str) -> str:
    import gymnasium

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gymnasium.spec(name)
    except (gymnasium.error.VersionNotFound, gymnasium.error.DeprecatedEnv) as error:
        return errors.in_a_line(error)
    except Exception:  # ours is shorter
        pass
    known = list(gymnasium.registry)
    near = errors.nearest(name, known)
    if near.startswith("known are"):
        near = f"{len(known)} others are"
    return f"{near} (MODULE:ID is for what a module registers)"
