"""What a sweep searches: bindings, and what their values are drawn from.

A line of a space binds one parameter to a range or a choice:

    PPO.learning_rate = log(1e-4, 3e-3)
    PPO.clip = between(0.1, 0.3)
    PPO.epochs = whole(1, 8)
    ActorCritic.core = one_of(None, @gru)

What stands in `one_of` is taken as it is written. `log` draws from the logarithms of its range,
`whole` whole numbers, both ends included. To search what several bindings share, name a macro:
`envs = one_of(16, 32)`, with `Trainer.num_envs = %envs` among the bindings.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hts_tf import errors, operative

_LINE = re.compile(r"\s*(?P<name>[\w./]+)\s*=\s*(?P<kind>\w+)\((?P<values>.*?)\)\s*(#.*)?")
KINDS = ("between", "log", "whole", "one_of")


class Parameter(NamedTuple):
    """A binding whose value is searched.

    Attributes:
      name: of the binding.
      kind: one of the `KINDS`.
      values: low and high, or, of 'one_of', texts.
    """

    name: str
    kind: str
    values: tuple[float | str, ...]

    def binding(self, value: float | str) -> str:
        """Returns a value of it as a line of gin."""
        return f"{self.name} = {self._short(value) if isinstance(value, float) else value}"

    def _short(self, value: float) -> str:
        """Returns a number with four digits, or as many as its range asks for."""
        low, high = self.values
        for digits in range(4, 18):
            text = f"{value:.{digits}g}"
            if low <= float(text) <= high and abs(float(text) - value) <= (high - low) / 1000:
                break
        # Drawn from a range are numbers, of which only some would be whole.
        return text if {*".en"} & {*text} else f"{text}.0"


def parse(lines: Iterable[str]) -> list[Parameter]:
    """Reads a space.

    Args:
      lines: see above; empty ones and comments count for nothing.

    Raises:
      ConfigError: one cannot be read, or two are of the same name.
    """
    space = [_parameter(line) for line in lines if line.partition("#")[0].strip()]
    names = [parameter.name for parameter in space]
    for name in names:
        if names.count(name) > 1:
            raise errors.ConfigError(f"{name} is searched twice")
    if not space:
        raise errors.ConfigError(
            "nothing is searched: give --search or --space",
            page="comparing.md#searching-settings",
        )
    return space


def bindings(space: Sequence[Parameter], text: str) -> set[str]:
    """Returns the names of all bindings that differ from trial to trial.

    Args:
      space: that is searched.
      text: gin files and bindings of all trials, where others may refer to macros of the space.
    """
    names = {parameter.name for parameter in space}
    return names | operative.bound_to(names, text)


def ends(space: Sequence[Parameter]) -> list[list[str]]:
    """Returns the ends of all ranges and all choices, one at a time, beside first values."""
    first = [parameter.binding(parameter.values[0]) for parameter in space]
    return [
        [*first[:number], parameter.binding(value), *first[number + 1 :]]
        for number, parameter in enumerate(space)
        for value in parameter.values
    ]


def _parameter(line: str) -> Parameter:
    found = _LINE.fullmatch(line.rstrip("\n"))
    if not found or found["kind"] not in KINDS:
        raise errors.ConfigError(
            f"{line.strip()!r}: a line of a space is NAME = KIND(...), with one of the kinds "
            f"{', '.join(KINDS)}; for example 'PPO.learning_rate = log(1e-4, 1e-3)'",
            page="comparing.md#searching-settings",
        )
    name, kind = found["name"], found["kind"]
    texts = _parts(found["values"])
    if kind == "one_of":
        if len(texts) < 2 or len(set(texts)) < len(texts):
            raise errors.ConfigError(f"{line.strip()!r} must list two different values or more")
        return Parameter(name, kind, tuple(texts))
    try:
        low, high = map(int if kind == "whole" else float, texts)
    except ValueError:
        what = "whole numbers" if kind == "whole" else "numbers"
        raise errors.ConfigError(f"{line.strip()!r}: {kind} takes two {what}") from None
    if not (low > 0 or kind != "log") or not low < high or not high < float("inf"):
        raise errors.ConfigError(
            f"{line.strip()!r} must have a first number below the second"
            + (", and above 0" if kind == "log" else "")
        )
    return Parameter(name, kind, (low, high))


def _parts(text: str) -> list[str]:
    """Splits a text at its commas, but for those in brackets or strings."""
    parts, begin, depth = [], 0, 0
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise errors.ConfigError(f"({text}): {error.args[0]}") from None
    for token in tokens:
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if token.type == tokenize.OP and token.string == "," and not depth:
            parts.append(text[begin : token.start[1]].strip())
            begin = token.end[1]
    return [*parts, text[begin:].strip()]
