"""What gin refuses, and what its words may have been meant to be, in one line."""

import re
import tokenize

from hts_tf import configurables, errors


def reason(error: BaseException) -> str:
    """Returns an error in one line, without all of the configuration, which gin may add to it."""
    if isinstance(error, tokenize.TokenError):
        return f"a binding or gin file ends before a bracket or string is closed ({error.args[0]})"
    reason = " ".join(str(error).split(" in config string")[0].split())
    unbound = re.search(r"No bindings specified for '(.+)/gin\.macro'", reason)
    if unbound:
        return f"%{unbound[1]} is referred to, but nothing binds {unbound[1]}"
    reason = re.sub(r"^malformed node or string.*?object at 0x\w+> ", "", reason)
    ours = isinstance(error, (ValueError, SyntaxError, OSError, ImportError))
    return f"{reason}{_hint(reason)}" if ours and reason else f"{type(error).__name__}: {reason}"


def own_words(error: errors.ConfigError) -> str:
    """Returns what an error of ours says, without gin's lines about what was called."""
    return str(error).partition("\n")[0]


def _hint(reason: str) -> str:
    """Returns what a name that gin does not know may have been meant to be, if that can be told."""
    unknown = re.search(r"No configurable matching (?:reference )?'@?(?:\w+/)*(\w+)", reason)
    if unknown:
        near = errors.nearest(unknown[1], (), configurables.names())
        return f"; {near}" if near else ""
    unknown = re.search(r"Failed to parse token '([A-Za-z_]\w*)'", reason)
    if unknown and unknown[1].capitalize() in ("True", "False", "None"):
        return f"; did you mean {unknown[1].capitalize()}?"
    if unknown:
        return f": a word is written '{unknown[1]}', a class or function @{unknown[1]}"
    unknown = re.search(r"Configurable '(.+)' doesn't have a parameter named '(.+?)'", reason)
    if unknown:
        near = errors.nearest(unknown[2], configurables.bindable(unknown[1]))
        return f"; {near}" if near else ""
    return ""
