"""Configuration: loads gin files, and what a workdir remembers of them."""

import contextlib
import difflib
import importlib
import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin
from absl import logging
from gin import config_parser

from hts_tf import bindings, configurables, errors, gin_errors, operative, presets
from hts_tf.environments import base, recall, synthetic, tasks  # noqa: F401  gin configurables
from hts_tf.environments.football import football  # noqa: F401
from hts_tf.environments.gymnasiums import gymnasium  # noqa: F401

_ENVIRONMENT = "Trainer.environment"


def modules_flags(modules: Sequence[str]) -> list[str]:
    """Returns what a command is given so that it may import these modules, too."""
    return [f"--modules={','.join(modules)}"] if modules else []


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
    presets.check_method(method)
    scenario_file, added = presets.find_scenario(scenario)
    files = _absolute(gin_files)
    with _loading():
        _look_here_first()
        ours = [f"methods/{method}.gin", scenario_file]
        # First, as files may refer to what is in them.
        gin.parse_config([line for line in gin_bindings if line.startswith("import ")])
        gin.parse_config_files_and_bindings(ours, added, finalize_config=False)
        gin.parse_config_files_and_bindings(files, gin_bindings, finalize_config=False)
        texts = (presets.with_includes(path, as_found=True) for path in (*ours, *files))
        _check_macros("\n".join([gin.config_str(), *texts, *added, *gin_bindings]))
        bindings.settle()
        bound = gin.get_bindings("Trainer", resolve_references=False)
        for needed in ("environment", "algorithm", "schedule"):
            if needed not in bound:
                raise errors.ConfigError(
                    f"Trainer.{needed} must be bound: {' and '.join(ours)} do not"
                )


def _look_here_first() -> None:
    """Has gin find our files by their names, whatever lies in the directory it is called from."""
    places = gin.config._LOCATION_PREFIXES  # to which there is no public way but to its end
    ours = str(presets.directory())
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


def _check_macros(text: str) -> None:
    """Checks what gin would pass over in all that is bound.

    Raises:
      ConfigError: a macro or reference has a sign, which gin forgets, or a macro has no effect.
    """
    tokens = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)]
    for sign, what, name in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if sign == "-" and what in ("%", "@"):
            raise errors.ConfigError(f"-{what}{name}: gin takes no sign here; bind the number")
    bindings.check_macros(operative.macros(text), text)


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

    def refused(why: str) -> errors.ConfigError:
        return errors.ConfigError(f"{source} {why}", page="settings.md#other-peoples-workdirs")

    for statement in operative.statements(text):
        if isinstance(statement, config_parser.IncludeStatement):
            raise refused(f"may not include {statement.filename!r}")
        if not isinstance(statement, config_parser.ImportStatement):
            continue
        module = statement.module
        if module.startswith("__gin__"):  # with which bindings could call any function
            raise refused(f"may not import {module}")
        if not any(f"{module}.".startswith(f"{name}.") for name in ("hts_tf", *modules)):
            raise refused(
                f"imports {module}, which may do anything; "
                f"if you trust it, add --modules={module} (in Python: modules=[{module!r}])"
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
    scenario_file, added = presets.find_scenario(scenario)
    files = _absolute(gin_files)
    with _loading():
        ours, *theirs = map(presets.with_includes, (scenario_file, *files))
        text = "\n".join([ours, *added, *theirs, *gin_bindings])
        _check_macros(text)
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
