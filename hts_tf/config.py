"""Configuration: finding and loading gin files, and what a workdir remembers of them."""

import contextlib
import difflib
import importlib
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin
from absl import logging
from gin import config_parser

from hts_tf import bindings, configurables, errors, gin_errors, operative
from hts_tf.environments import base, recall, synthetic, tasks  # noqa: F401  gin configurables
from hts_tf.environments.football import football, scenarios  # noqa: F401
from hts_tf.environments.gymnasiums import gymnasium, registry  # noqa: F401
from hts_tf.environments.pettingzoos import pettingzoo
from hts_tf.system import installation

_PETTINGZOO = "pettingzoo:"  # before a module, as the name of a scenario

_ENVIRONMENT = "Trainer.environment"


def modules_flags(modules: Sequence[str]) -> list[str]:
    """Returns what a command is given so that it may import these modules, too."""
    return [f"--modules={','.join(modules)}"] if modules else []


def gin_directory() -> Path:
    """Returns the directory of the gin files."""
    return installation.shipped("gin_configs")


def names(kind: str) -> list[str]:
    """Returns the names of the gin files of a kind: 'methods' or 'scenarios'."""
    return sorted(path.stem for path in (gin_directory() / kind).glob("*.gin"))


def football_scenarios() -> set[str]:
    """Names gfootball's scenarios; where it is not installed, those that there are files of."""
    files = (gin_directory() / "scenarios").glob("*.gin")
    ours = {path.stem for path in files if "include 'football.gin'" in path.read_text()}
    return ours | {*scenarios.names()}


def check_names(scenario: str, method: str) -> None:
    """Raises: ConfigError: one of them is unknown; see `load`."""
    _check_method(method)
    _scenario(scenario)


def _check_method(method: str) -> None:
    if method not in names("methods"):
        raise errors.ConfigError(
            f"unknown method {method!r}; {errors.nearest(method, names('methods'))}"
        )


def _scenario(name: str) -> tuple[str, list[str]]:
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


def load(
    scenario: str, method: str, gin_files: Sequence[str] = (), gin_bindings: Sequence[str] = ()
) -> None:
    """Loads a configuration into gin: method, then scenario, then the user's files and bindings.

    The configurables that the files bind must have been imported; the environments are, here.

    Args:
      scenario: a file of `gin_configs/scenarios`, any scenario of gfootball, or any id of
        Gymnasium, or "pettingzoo:MODULE".
      method: a file of `gin_configs/methods`.
      gin_files: paths of further files.
      gin_bindings: further bindings, the last word.

    Raises:
      ConfigError: something is unknown or misspelt, or a value cannot be used.
    """
    _check_method(method)
    scenario_file, added = _scenario(scenario)
    files = _absolute(gin_files)
    with _loading():
        texts = [*added, *gin_bindings, *(Path(path).read_text(encoding="utf-8") for path in files)]
        for text in texts:
            _check_signs(text)
        _look_here_first()
        ours = [f"methods/{method}.gin", scenario_file]
        gin.parse_config_files_and_bindings(ours, added, finalize_config=False)
        gin.parse_config_files_and_bindings(files, gin_bindings, finalize_config=False)
        text = "\n".join([gin.config_str(), *texts])
        bindings.check_macros(operative.macros(text), text)
        bindings.settle()


def _look_here_first() -> None:
    """Has gin find our files by their names, whatever lies in the directory it is called from."""
    places = gin.config._LOCATION_PREFIXES  # to which there is no public way but to its end
    ours = str(gin_directory())
    if places[0] != ours:
        places.insert(0, ours)


def _absolute(gin_files: Sequence[str]) -> list[str]:
    """Returns the user's gin files by their whole paths, as their names may be those of ours.

    Raises:
      ConfigError: there is no such file.
    """
    for path in gin_files:
        if not Path(path).is_file():
            raise errors.ConfigError(f"there is no gin file {path!r}")
    return [str(Path(path).absolute()) for path in gin_files]


def _check_signs(text: str) -> None:
    """Raises: ConfigError: a macro or reference has a sign, which gin's parser would forget."""
    tokens = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    for sign, what, name in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if sign == "-" and what in ("%", "@"):
            raise errors.ConfigError(f"-{what}{name}: gin takes no sign here; bind the number")


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Clears the configuration; what is wrong with the next becomes a ConfigError of one line."""
    gin.clear_config()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)  # gin reports every place where a file is not
    try:
        yield
    except errors.ConfigError as error:
        raise errors.ConfigError(gin_errors.own_words(error)) from error
    except (Exception, SystemExit) as error:  # out of imported modules, too
        raise errors.ConfigError(gin_errors.reason(error)) from error
    finally:
        logging.set_verbosity(verbosity)


def load_text(text: str, source: str | Path, modules: Sequence[str] = ()) -> None:
    """Loads the configuration that a workdir remembers, see `operative.text`.

    Args:
      text: the configuration.
      source: the file that it is from.
      modules: of the user's, that it may import; submodules of them, too. It may be from anybody,
        and whoever decides what is imported decides what is done.

    Raises:
      ConfigError: it asks to import or include anything else, or cannot be used.
    """
    with _loading():
        _import_modules(text, source, modules)
        gin.parse_config(text)
        bindings.settle()


def _import_modules(text: str, source: str | Path, modules: Sequence[str]) -> None:
    """Imports what a configuration asks for. Raises: ConfigError: see `load_text`."""
    for statement in operative.statements(text):
        if isinstance(statement, config_parser.IncludeStatement):
            raise errors.ConfigError(
                f"{source} may not include {statement.filename!r}",
                page="settings.md#other-peoples-workdirs",
            )
        if not isinstance(statement, config_parser.ImportStatement):
            continue
        module = statement.module
        if module.startswith("__gin__"):  # with which bindings could call any function
            raise errors.ConfigError(
                f"{source} may not import {module}",
                page="settings.md#other-peoples-workdirs",
            )
        if not any(f"{module}.".startswith(f"{name}.") for name in ("hts_tf", *modules)):
            raise errors.ConfigError(
                f"{source} imports {module}, which may do anything; "
                f"if you trust it, add --modules={module}",
                page="settings.md#other-peoples-workdirs",
            )
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            reason = gin_errors.reason(error)
            raise errors.ConfigError(f"{source} imports {module}: {reason}") from error


def environment() -> base.EnvironmentConfig:
    """Returns the environment that the loaded configuration trains on.

    Raises:
      ConfigError: there is none.
    """
    found = gin.get_bindings("Trainer").get("environment")
    configurables.check(_ENVIRONMENT, found, base.EnvironmentConfig)
    return found


def environment_in(
    text: str, source: str | Path, modules: Sequence[str] = ()
) -> base.EnvironmentConfig:
    """Returns the environment in the configuration that a workdir remembers; see `load_text`.

    The rest of it is passed over, so that those who only play need no TensorFlow.
    """
    with _loading():
        _import_modules(text, source, modules)
        bound = operative.bindings(text)
        needed = _of_environment(bound)
        for name, value in bound.items():
            # A user's torso may be known here while one of ours that it refers to is not.
            refers_to = operative.references(value)
            known = operative.owner(name) in needed or all(map(_is_known, refers_to))
            if known and "." in name and not name.startswith("Trainer."):
                gin.parse_config(f"{name} = {value!r}", skip_unknown=True)
        gin.parse_config(f"environment = {bound.get(_ENVIRONMENT)!r}")  # a macro
        bindings.settle()
        found = gin.get_bindings("environment/gin.macro")["value"]
        configurables.check(_ENVIRONMENT, found, base.EnvironmentConfig)
        return found


def _of_environment(bound: Mapping[str, Any]) -> set[str]:
    """Returns the names of the configurables that an environment is made of, by its bindings."""
    found: set[str] = set()
    values = [bound.get(_ENVIRONMENT)]
    while more := {*operative.references(values)} - found:
        found |= more
        values = [value for name, value in bound.items() if operative.owner(name) in more]
    return found


def environment_for(
    scenario: str, gin_files: Sequence[str] = (), gin_bindings: Sequence[str] = ()
) -> base.EnvironmentConfig:
    """Returns the environment of trainings on a scenario; for arguments and errors see `load`.

    What files and bindings say of all else is passed over, see `environment_in`.
    """
    scenario_file, added = _scenario(scenario)
    files = _absolute(gin_files)
    with _loading():
        ours, *theirs = map(with_includes, (scenario_file, *files))
        text = "\n".join([ours, *added, *theirs, *gin_bindings])
        _check_signs(text)
        bindings.check_macros(operative.macros(text), text)
        bound = operative.bindings(text)
    modules = bound.get(operative.IMPORTS, ())
    found = environment_in(text, "--gin_files", modules)
    for name in bound:  # what was passed over may be an environment's, misspelt
        owner = operative.owner(name)
        near = difflib.get_close_matches(owner, configurables.names(), n=1, cutoff=0.8)
        if near and not _is_known(owner):
            raise errors.ConfigError(f"{name}: there is no {owner} here; did you mean {near[0]}?")
    return found


def _is_known(selector: str) -> bool:
    """Returns whether there is such a configurable, of ours or of an imported module."""
    try:
        gin.get_configurable(selector)
    except ValueError:
        return False
    except KeyError:  # there are several of that name
        pass
    return True


def with_includes(path: str) -> str:
    """Returns the text of a gin file, ours or the user's, and of those that it includes."""
    ours = gin_directory() / path
    text = (ours if ours.is_file() else Path(path)).read_text(encoding="utf-8")
    return re.sub(r"^include (['\"])(.+)\1", lambda m: with_includes(m[2]), text, flags=re.M)
