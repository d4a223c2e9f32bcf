"""The operative configuration: what a workdir remembers of how its run was configured.

It is read without gin's registry, and nothing that it asks to import is imported.
"""

import dataclasses
import math
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import gin
from gin import config_parser

from hts_tf import configurables, errors, values

IMPORTS = "import"  # the name under which `bindings` has them
WATCHING = "--watching"  # and those that only observers come from
SEED = "--seed"


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference to a configurable, or to a macro, as it is written."""

    text: str

    def __repr__(self) -> str:
        return self.text


class _References(config_parser.ParserDelegate):
    def configurable_reference(self, name: str, evaluate: bool) -> Reference:
        return Reference(f"@{name}{'()' if evaluate else ''}")

    def macro(self, name: str) -> Reference:
        return Reference(f"%{name}")


def text(seed: int) -> str:
    """Returns the loaded configuration: every binding that is used, or may yet be, one a line."""
    used = gin.operative_config_str(max_line_length=10_000)
    used = re.sub(r"^# =+\n", "", used, flags=re.MULTILINE)
    of_used = bindings(used)
    later = {
        name: value
        for name, value in bindings(gin.config_str(max_line_length=10_000)).items()
        if name not in of_used and _may_be_called_later(name)
    }
    watching = ", ".join(sorted(_modules_of_observers({**of_used, **later})))
    head = f"# {SEED} = {seed}\n" + (f"# {WATCHING} = {watching}\n" if watching else "")
    return head + used + "".join(f"{name} = {value!r}\n" for name, value in later.items())


def _may_be_called_later(binding: str) -> bool:
    """Returns whether it is of a user's configurable, such as one that an update calls."""
    if "." not in binding:
        return False
    module = gin.get_configurable(binding.rpartition(".")[0]).__module__
    return not module.startswith("hts_tf.")


def parsed(text: str) -> list[Any]:
    """Returns a configuration's statements, as `gin.config_parser` has them; errors are gin's."""
    return list(config_parser.ConfigParser(text, _References()))


def _name(statement: config_parser.BindingStatement) -> str:
    """Returns what is bound: a parameter, or a macro."""
    name = f"{statement.scope}/{statement.selector}".lstrip("/")
    return f"{name}.{statement.arg_name}" if statement.arg_name else name


def macros(text: str) -> dict[str, Any]:
    """Returns name -> value of the macros that a configuration binds; errors are gin's."""
    return {
        _name(statement): statement.value
        for statement in parsed(text)
        if isinstance(statement, config_parser.BindingStatement) and not statement.arg_name
    }


def bound_to(names: Collection[str], text: str) -> set[str]:
    """Returns the names of the bindings that refer to these macros, or to others that do."""
    bound = {}
    for statement in parsed(text):
        if isinstance(statement, config_parser.BindingStatement):
            bound[_name(statement)] = {*references(statement.value, "%")}
    found: set[str] = set()
    while new := {name for name in bound if bound[name] & {*names, *found}} - found:
        found |= new
    return found


def statements(text: str) -> list[Any]:
    """Returns the statements of what a workdir remembers, see `parsed`.

    Raises:
      ConfigError: it cannot be parsed.
    """
    try:
        return parsed(text)
    except Exception as error:  # tokenize has its own
        reason = configurables.shorten(str(error))
        raise errors.ConfigError(f"what a workdir remembers is damaged: {reason}") from error


def bindings(text: str) -> dict[str, Any]:
    """Returns binding -> value of a configuration, with the seed and the imported modules.

    Values are as gin parses them, references as `Reference`; macros have been replaced by what they
    stand for.

    Raises:
      ConfigError: it cannot be parsed.
    """
    macros, bound, modules = {}, {}, set()
    for statement in statements(text):
        if isinstance(statement, config_parser.ImportStatement):
            modules.add(statement.module)
        elif isinstance(statement, config_parser.BindingStatement):
            if statement.arg_name:
                bound[_name(statement)] = statement.value
            else:
                macros[f"%{_name(statement)}"] = statement.value

    def resolved(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(resolved, value))
        if isinstance(value, dict):
            return {resolved(key): resolved(part) for key, part in value.items()}
        if isinstance(value, Reference) and value.text in macros:
            return resolved(macros[value.text])
        return value

    found = {name: resolved(value) for name, value in bound.items()}
    seed = re.search(rf"^# {SEED} = (\d+)$", text, re.MULTILINE)
    if seed:
        found[SEED] = int(seed[1])
    theirs = tuple(sorted(name for name in modules if not name.startswith("hts_tf.")))
    if theirs:
        found[IMPORTS] = theirs
    watching = re.search(rf"^# {WATCHING} = (.+)$", text, re.MULTILINE)
    if watching:
        found[WATCHING] = tuple(watching[1].split(", "))
    return found


def unused(lines: Sequence[str], text: str) -> list[str]:
    """Returns the names of what these lines bind, but a run of this configuration does not use.

    Its configurables are not called, as nothing refers to them.

    Args:
      lines: of bindings, which the run was given.
      text: its configuration.
    """
    used = {*map(owner, bindings(text))}
    return [name for name in bindings("\n".join(lines)) if "." in name and not _is_one(name, used)]


def _is_one(binding: str, owners: Collection[str]) -> bool:
    """Returns whether it is of one of these configurables, by as much of its name as both have."""
    own = owner(binding).split(".")
    parts = (other.split(".") for other in owners)
    return any(a[-n:] == own[-n:] for a in parts for n in [min(len(a), len(own))])


def ends(text: str) -> tuple[int, float]:
    """Returns the env steps and the score, or infinity, at which a run ends by itself.

    Raises:
      ConfigError: the configuration that its workdir remembers does not say.
    """
    found = bindings(text)
    env_steps, score = (found.get(f"Trainer.{n}") for n in ("total_env_steps", "stop_at_score"))
    configurables.check("Trainer.total_env_steps", env_steps, values.Count)
    configurables.check("Trainer.stop_at_score", score, values.Number | None)
    return env_steps, math.inf if score is None else score


def without_observers(text: str) -> str:
    """Returns a configuration without its observers, and without what is imported for them alone.

    Raises:
      ConfigError: it cannot be parsed.
    """
    found = bindings(text)
    observers = observers_of(found)
    if not observers:
        return text
    theirs = [
        f"# {WATCHING} = .*",
        r"Trainer\.observers = .*",
        *(f"import {re.escape(module)}" for module in found.get(WATCHING, ())),
        *(rf"# Parameters for {re.escape(name)}:(?:\n# None\.)?" for name in observers),
        *(rf"{re.escape(name)}\.\w+ = .*" for name in observers),
    ]
    return re.sub(rf"^(?:{'|'.join(theirs)})\n", "", text, flags=re.MULTILINE)


def observers_of(found: dict[str, Any]) -> list[str]:
    """Returns the names of the observers that `bindings` have."""
    return list(references(found.get("Trainer.observers", ())))


def _modules_of_observers(side: dict[str, Any]) -> set[str]:
    """Returns the modules that the loaded run imports for its observers, and for nothing else."""
    imports, observers = side.get(IMPORTS, ()), {*observers_of(side)}
    if not imports or not observers:
        return set()
    others = {owner(name) for name in side if "." in name}
    others |= {*references([*side.values()])}

    def imported(names: set[str]) -> set[str]:
        modules = [f"{gin.get_configurable(name).__module__}." for name in names]
        return {name for name in imports for m in modules if m.startswith(f"{name}.")}

    return imported(observers) - imported(others - observers)


def owner(binding: str) -> str:
    """Returns the name of the configurable that a binding is of, without scopes."""
    return binding.rpartition(".")[0].rpartition("/")[2]


def references(value: Any, sign: str = "@") -> Iterator[str]:
    """Yields the names of all configurables, or by "%" macros, that a value refers to.

    Those of configurables without their scopes.
    """
    if isinstance(value, Reference):
        if value.text.startswith(sign):
            name = value.text.strip("@%()")
            yield name.rpartition("/")[2] if sign == "@" else name
    elif isinstance(value, (list, tuple, dict)):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            yield from references(part, sign)
