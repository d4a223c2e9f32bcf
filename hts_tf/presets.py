"""The gin files that come along: scenarios and methods, found by their names."""

import importlib
import re
from pathlib import Path

from hts_tf import errors, gin_errors
from hts_tf.environments.football import scenarios
from hts_tf.environments.gymnasiums import registry
from hts_tf.environments.pettingzoos import pettingzoo
from hts_tf.system import installation

_PETTINGZOO = "pettingzoo:"  # before a module, as the name of a scenario


def directory() -> Path:
    """Returns the directory of the gin files."""
    return installation.shipped("gin_configs")


def names(kind: str) -> list[str]:
    """Returns the names of the gin files of a kind: 'methods' or 'scenarios'."""
    return sorted(path.stem for path in (directory() / kind).glob("*.gin"))


def football_scenarios() -> set[str]:
    """Names gfootball's scenarios; where it is not installed, those that there are files of."""
    files = (directory() / "scenarios").glob("*.gin")
    ours = {path.stem for path in files if "include 'football.gin'" in path.read_text()}
    return ours | {*scenarios.names()}


def check(scenario: str, method: str) -> None:
    """Raises: ConfigError: one of them is unknown; see `config.load`."""
    check_method(method)
    find_scenario(scenario)


def check_method(method: str) -> None:
    """Raises: ConfigError: there is no such method."""
    if method not in names("methods"):
        raise errors.ConfigError(
            f"unknown method {method!r}; {errors.nearest(method, names('methods'))}"
        )


def find_scenario(name: str) -> tuple[str, list[str]]:
    """Returns a scenario's gin file and what is to be added. Raises: ConfigError: it is unknown."""
    if name in names("scenarios"):
        return f"scenarios/{name}.gin", []
    if name in scenarios.names():
        return "football.gin", [f"Football.scenario = {name!r}"]
    is_pettingzoo = name.startswith(_PETTINGZOO)
    module = name.removeprefix(_PETTINGZOO) if is_pettingzoo else registry.split(name)[0]
    theirs = [module] if module and not registry.is_trusted(module) else []
    try:
        for module in theirs:  # gin imports it next, and the workdir remembers that
            importlib.import_module(module)
        if is_pettingzoo:
            pettingzoo.PettingZoo(module)
            file, binding = "pettingzoo.gin", f"PettingZoo.module = {module!r}"
        else:
            file = f"{registry.family(registry.find(name))}.gin"
            binding = f"Gymnasium.id = {name!r}"
    except (Exception, SystemExit) as error:
        if is_pettingzoo or registry.looks_like_id(name):
            raise errors.ConfigError(f"--scenario={name}: {gin_errors.reason(error)}") from error
        known = {*names("scenarios"), *scenarios.names()}
        raise errors.ConfigError(
            f"unknown scenario {name!r}; {errors.nearest(name, known, registry.names())}"
        ) from error
    return file, [*(f"import {module}" for module in theirs), binding]


def with_includes(path: str, as_found: bool = False) -> str:
    """Returns the text of a gin file, ours or the user's, and of those that it includes.

    Args:
      path: of the file.
      as_found: where one is not found, the line stays: gin knows further places.

    Raises:
      OSError: a file cannot be read.
    """
    ours = directory() / path
    text = (ours if ours.is_file() else Path(path)).read_text(encoding="utf-8")

    def included(line: re.Match) -> str:
        is_there = (directory() / line[2]).is_file() or Path(line[2]).is_file()
        return with_includes(line[2], as_found) if is_there or not as_found else line[0]

    return re.sub(r"^include (['\"])(.+?)\1", included, text, flags=re.M)
