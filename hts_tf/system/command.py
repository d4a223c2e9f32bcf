"""What commands that start processes have in common: where they write, and how they end."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from hts_tf import errors
from hts_tf.system.child import ChildError


def call(body: Callable[[], None], argv: list[str]) -> int:
    """Calls a command's body and returns the exit code; bad input is one line and a 2.

    SIGTERM unwinds it as Ctrl-C does, so that its children and directories are gone afterwards.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        if argv[1:]:
            raise errors.ConfigError(f"unexpected argument {argv[1]!r}")
        body()
    except errors.ConfigError as error:
        return errors.fail(str(error).splitlines()[0], 2)
    except ChildError as error:
        return errors.fail(str(error), error.code)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # nobody reads the figures any more, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


@contextlib.contextmanager
def csv_file(output: str | None) -> Iterator[TextIO]:
    """Opens the file of `--output`, to be written with `csv.writer`; None keeps nothing.

    Raises:
      ConfigError: it cannot be written.
    """
    try:
        file = Path(output or os.devnull).open("w", newline="")  # noqa: SIM115  closed below
    except OSError as error:
        raise errors.ConfigError(f"--output: {error}") from None
    with file:
        yield file
