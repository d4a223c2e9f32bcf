"""Errors that are answered by changing the configuration, and the checks that raise them."""

import difflib
from collections.abc import Iterable


def with_page(message: str, page: str | None) -> str:
    """Returns a message that names the page, such as 'cluster.md#gpus', that tells more, if any."""
    return f"{message} (see docs/{page})" if page else message


class ConfigError(ValueError):
    """A setting cannot be used; the message is one line and names the binding or flag to change.

    Attributes:
      code: with which a command ends, of this error and those below.
    """

    code = 2

    def __init__(self, message: str, page: str | None = None) -> None:
        """Takes what is said, and the page of the documentation that tells more, see `with_page`.

        The page becomes part of the message, so it goes wherever that goes: into other messages
        and other processes.
        """
        super().__init__(with_page(message, page))


class RunError(Exception):
    """A run cannot go on; the message is one line and says what, where, and what to do."""

    code = 1

    def __init__(self, message: str, page: str | None = None) -> None:
        """See `ConfigError`."""
        super().__init__(with_page(message, page))


class DivergenceError(RunError):
    """Learning went out of bounds; the message says in which update."""

    code = 3


def nearest(name: object, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """Returns a hint at what an unknown name may have been meant to be; "" if there is none.

    Args:
      name: unknown.
      known: all of them are named if it is like none.
      others: which are too many for that.
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), [*known, *sorted(others)], n=3, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are {', '.join(known)}" if known else ""


def in_a_line(text: object) -> str:
    """Returns a text, such as an error's, in one line that is not too long."""
    return " ".join(str(text).split())[:300] or type(text).__name__
