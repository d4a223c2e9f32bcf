"""Bindings: when all are parsed, each is checked, and stands there as a value."""

import ast
import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import gin
from gin.config import ConfigurableReference

from hts_tf import configurables, errors

_Bound = Mapping[tuple[str, str], Mapping[str, Any]]  # (scope, configurable) -> parameter -> value

# Where what is referred to may have bindings of its own, such as easy/Football.right_difficulty of
# @easy/Football(). Anywhere else, results would depend on bindings by names that nobody looks for.
_WITH_SCOPES = {("hts_tf.environments.tasks.Tasks", "environments")}
_GINS = "gin."  # own configurables: macros, constants


def settle() -> None:
    """Checks all that is bound, has it stand there as values, and locks it, as `gin.finalize`.

    It is no hook of gin's: these are called of whatever is configured in this process.

    Raises:
      ConfigError: a binding has no effect, or its value cannot be used.
    """
    gin.finalize()  # hooks of the user's modules may bind, too
    with gin.unlock_config():
        for name, value in _settled(gin.config._CONFIG).items():  # there is no public way
            gin.bind_parameter(name, value)


def _settled(bound: _Bound) -> dict[tuple[str, str, str], Any]:
    """Checks all bindings, also of what the run will not call.

    Returns:
      Their values, with none in it that is called by another name, and, where nothing is bound, the
      defaults that gin would not write down: what is remembered of a run is what it was made with.

    Raises:
      ConfigError: a binding has no effect, or its value cannot be used.
    """
    settled = {}
    scopes = _scopes(bound)
    for (scope, selector), parameters in bound.items():
        if selector.startswith(_GINS):
            continue
        annotations = configurables.annotations(gin.get_configurable(selector))
        for parameter, value in parameters.items():
            name = f"{selector.rpartition('.')[2]}.{parameter}"
            shown = configurables.shorten(repr(value))
            with _refusing(f"{name} = {shown}"):
                if scope and scope not in scopes:
                    raise errors.ConfigError(f"{scope}/{name}: scopes have no effect here")
                value = _plain(value, bound, (selector, parameter) in _WITH_SCOPES)
                made = copy.deepcopy(value)  # gin's way of calling what is referred to
            configurables.check(name, made, annotations.get(parameter, Any), shown)
            for part in made if isinstance(made, list | tuple) else [made]:
                _check_is_read(type(part), bound)
            settled[scope, selector, parameter] = value
    gin.config._OPERATIVE_CONFIG.clear()  # these calls were no use yet; there is no public way
    return {**_silent_defaults(), **settled}


def dump() -> str:
    """Returns all that is bound, for `restore`."""
    lines = gin.config_str(max_line_length=10_000).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("import ", "from ")))


def restore(dumped: str) -> None:
    """Binds what `dump` returned, and nothing else: for what makes games long after loading.

    What is of modules that are not imported in this process is left out.
    """
    gin.clear_config()
    gin.parse_config(dumped, skip_unknown=True)


def _check_is_read(made: type, bound: _Bound) -> None:
    """Raises: ConfigError: what is bound to a base of a class is bound to no effect."""
    for selector in configurables.overridden(made):
        base = selector.rpartition(".")[2]
        own = {
            parameter
            for (_, name), parameters in bound.items()
            if name.rpartition(".")[2] == made.__name__
            for parameter in parameters
        }
        lost = [name for name in bound.get(("", selector), ()) if name not in own]
        if lost:
            raise errors.ConfigError(
                f"{made.__name__}, a dataclass, would not read what is bound to {base}, from which "
                f"it is derived ({', '.join(f'{base}.{name}' for name in lost)}): bind the same of "
                f"{made.__name__}; or write its __init__, without @dataclass, and have it call "
                "super().__init__()",
                page="adding_a_method.md#a-variant-of-ppo",
            )


def check_macros(macros: Mapping[str, Any], text: str) -> None:
    """Checks that the macros which are bound have an effect.

    Args:
      macros: name -> value.
      text: all that is bound, and the user's gin files and bindings: who refers there to a macro
        may have been overridden by what follows.

    Raises:
      ConfigError: nothing refers to one: most likely it is a binding without its class's name.
    """
    for name, value in macros.items():
        if re.search(rf"%{re.escape(name)}\b", text):
            continue
        meant = " or ".join(f"{owner}.{name}" for owner in configurables.owners(name))
        shown = configurables.shorten(repr(value))
        raise errors.ConfigError(
            f"{name} = {shown} has no effect, as nothing refers to %{name}"
            + (f"; did you mean {meant}?" if meant else "")
        )


def _silent_defaults() -> dict[tuple[str, str, str], Any]:
    """Returns the defaults that are configurables themselves: gin does not write them down."""
    return {
        ("", selector, parameter): refer(configurables.selector(default), evaluate=False)
        for selector, parameter, default in configurables.defaults()
        if configurables.selector(default)
    }


def refer(selector: str, evaluate: bool) -> ConfigurableReference:
    """Returns a reference to a configurable, by its short name if no other has that."""
    try:
        return ConfigurableReference(selector.rpartition(".")[2], evaluate)
    except KeyError:  # others have that name, too
        return ConfigurableReference(selector, evaluate)


def _scopes(bound: _Bound) -> set[str]:
    """Returns the scopes that there are."""
    found = set()
    for selector, parameter in _WITH_SCOPES:
        parts = _plain(bound.get(("", selector), {}).get(parameter, ()), bound, scoped=True)
        if isinstance(parts, (list, tuple)):
            found |= {"/".join(getattr(part, "scopes", ())) for part in parts}
    return found


def _plain(value: Any, bound: _Bound, scoped: bool = False) -> Any:
    """Returns a value as it would be written without macros, constants and names of modules.

    Raises:
      ConfigError: it has scopes, and is not `scoped`.
    """
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(part, bound, scoped) for part in value)
    if isinstance(value, dict):
        return {_plain(key, bound): _plain(part, bound) for key, part in value.items()}
    if not isinstance(value, ConfigurableReference):
        return value
    selector = value.configurable.selector
    if selector == "gin.macro":
        return _plain(bound[value.config_key]["value"], bound, scoped)
    if selector == "gin.constant":
        constant = copy.deepcopy(value)
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(repr(constant))
        return value
    if value.scopes:
        if not scoped:
            raise errors.ConfigError(f"{value}: scopes have no effect here")
        own = refer(selector, value.evaluate)
        return ConfigurableReference("/".join([*value.scopes, own.selector]), value.evaluate)
    return refer(selector, value.evaluate)


@contextlib.contextmanager
def _refusing(binding: str) -> Iterator[None]:
    """Makes a ConfigError of whatever goes wrong when a value is made."""
    try:
        yield
    except errors.ConfigError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise errors.ConfigError(f"{binding}: {reason or type(error).__name__}") from error
