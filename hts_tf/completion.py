"""Completion of commands, flags and their values in a shell.

All is read from the modules' text: importing them takes seconds.
"""

import ast
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hts_tf import presets
from hts_tf.environments.football import scenarios
from hts_tf.files import models

_ROOT = Path(__file__).parents[1]

# For shells with bash's `complete`; what zsh needs before that.
SHELLS = {
    "bash": "",
    "zsh": "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n",
}

_BOOLEANS = ("DEFINE_bool", "DEFINE_boolean")

# Bash takes --flag=value apart into three words. What stands before the last comma of a list stays.
_FUNCTION = """\
_hts_complete() {
  local command=${COMP_WORDS[0]##*/} typed=${COMP_WORDS[COMP_CWORD]} flag= values= before=
  if [[ $typed == --*=* ]]; then
    flag=${typed%%=*} typed=${typed#*=}
    [[ $COMP_WORDBREAKS == *=* ]] || before=$flag=
  elif [[ $typed == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 1]} typed=
  elif ((COMP_CWORD >= 2)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $typed != -* && ${COMP_WORDS[COMP_CWORD - 1]} == --* ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 1]}
  fi
  [[ $command != hts || $COMP_CWORD -lt 2 ]] || flag=${COMP_WORDS[1]}
  if [[ ! $flag && ( $typed == -* || $command == hts ) ]]; then
    COMPREPLY=($(compgen -W "$(_hts_words "$command")" -- "$typed"))
    [[ ${COMPREPLY-} != *= ]] || compopt -o nospace 2>/dev/null
    return
  fi
  values=$(_hts_words "$command" "$flag")
  if [[ $values ]]; then
    if [[ $typed == *,* ]]; then
      before+=${typed%,*},
      typed=${typed##*,}
    fi
    COMPREPLY=($(compgen -P "$before" -W "$values" -- "$typed"))
  else
    local IFS=$'\\n'  # names of files may have blanks
    COMPREPLY=($(compgen -P "$before" -f -- "$typed"))
    compopt -o filenames 2>/dev/null
  fi
}
"""


class Flag(NamedTuple):
    """A flag of a command.

    Attributes:
      name: without dashes.
      words: what is typed of it: before a value, or, of one that has none, all.
      values: those that it may have, as far as they can be listed.
    """

    name: str
    words: tuple[str, ...]
    values: tuple[str, ...] = ()


def flags_of(module: str) -> Iterator[Flag]:
    """Yields the flags of a module of ours: its own, and those of modules of ours it imports."""
    path = _path(module)
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hts_tf"):
            for alias in node.names:
                inner = _path(f"{node.module}.{alias.name}")
                if inner.exists() and "flags.DEFINE" in inner.read_text():
                    yield from flags_of(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _defined(node, node.func.attr)


def _path(module: str) -> Path:
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else path.with_suffix("") / "__main__.py"


def _defined(call: ast.Call, function: str) -> Iterator[Flag]:
    if function == "add_argument":
        action = next((_constant(k.value) for k in call.keywords if k.arg == "action"), None)
        for option in map(_constant, call.args):
            if option.startswith("--"):
                yield Flag(option[2:], (option if action == "store_true" else f"{option}=",))
    elif function.startswith("DEFINE_"):
        name = _constant(call.args[0])
        values = _constant(call.args[2]) if function == "DEFINE_enum" else None
        if name in ("scenario", "scenarios"):
            values = sorted({*presets.names("scenarios"), *scenarios.names()})
        elif name in ("method", "methods"):
            values = presets.names("methods")
        elif name == "model":
            values = models.names()
        if isinstance(name, str):
            words = (f"--{name}", f"--no{name}") if function in _BOOLEANS else (f"--{name}=",)
            yield Flag(name, words, tuple(values or ()))


def _constant(node: ast.expr) -> Any:
    """Returns what a literal means; None for other expressions."""
    try:
        return ast.literal_eval(node)
    except ValueError:  # what only running tells
        return None


def script(shell: str, commands: Mapping[str, str]) -> str:
    """Returns what a shell runs to complete commands.

    Args:
      shell: one of `SHELLS`.
      commands: what is typed -> module of ours; `hts` is completed with the names of the others.
    """
    words: dict[str, list[str]] = {"hts": ["completion"], "hts completion": [*SHELLS]}
    for typed, module in commands.items():
        flags = sorted({*flags_of(module)})
        words[typed] = [word for flag in flags for word in flag.words]
        words |= {f"{typed} --{flag.name}": [*flag.values] for flag in flags if flag.values}
    cases = [f"    {shlex.quote(key)}) echo {shlex.join(found)} ;;" for key, found in words.items()]
    return "\n".join(
        [
            SHELLS[shell] + "_hts_words() {",
            '  case "$*" in',
            *cases,
            "  esac",
            "}",
            _FUNCTION + f"complete -F _hts_complete hts {shlex.join(commands)}",
            "",
        ]
    )
