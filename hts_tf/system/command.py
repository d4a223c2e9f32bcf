"""What commands have in common: how they begin and end."""

import math
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from hts_tf import errors
from hts_tf.system import start, stop_signals, terminal, whole
from hts_tf.system.child import ChildError, end_session_with_this_process


def run(body: Callable[..., int | None], takes_arguments: bool = False) -> NoReturn:
    """Runs a command with flags, and ends the process; see `outcome`.

    Args:
      body: of the command; may return an exit code.
      takes_arguments: whether it is given what is no flag; else there must be none.
    """
    from absl import app  # not above: the doctor needs nothing that has to be installed

    def main(argv: list[str]) -> int | None:
        if argv[1:] and not takes_arguments:
            raise errors.ConfigError(f"unexpected argument {argv[1]!r}")
        try:
            return body(*argv[1:])
        except SystemExit as ending:  # which might say that all is well
            raise errors.RunError(
                f"something that was called, such as a function that a gin file names, has called "
                f"sys.exit({ending.code!r:.80})"
            ) from ending

    def begin() -> None:
        if start.is_tied and os.getsid(0) == os.getpid():  # what environments start is in there
            end_session_with_this_process()
        app.run(main, flags_parser=parse)

    end(begin)


def parse(argv: list[str]) -> list[str]:
    """Sets the flags to what a command line says; returns what is none of them.

    Raises:
      ConfigError: one cannot be, or has a value that it does not take.
      SystemExit: help has been given.
    """
    from absl import flags

    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.startswith("hts_tf."):  # else --help knows the main module's alone
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(argv[0], flag)
    try:
        rest = flags.FLAGS(argv)
    except SystemExit:  # with 1, by absl
        sys.exit(0)
    except flags.Error as error:
        reason = errors.in_a_line(error)
        raise errors.ConfigError(f"{reason} (--help lists the flags)") from error
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        if isinstance(flag.parser, flags.BaseListParser) and flag.present > 1:  # the last counts
            raise errors.ConfigError(
                f"--{name} is given more than once: name all in one, separated by commas"
            )
        for value in flag.value if isinstance(flag.value, list) else [flag.value]:
            _check(name, value, flag.default)
    return rest


def _check(name: str, value: Any, default: Any) -> None:
    """Raises: ConfigError: a flag has a value that its parser takes, and that nobody means."""
    if isinstance(value, float) and math.isnan(value):  # which is within all bounds
        raise errors.ConfigError(f"--{name} must be a number, not nan")
    # It would be the current directory, or as if it were not given.
    if value == "" and default != "":
        raise errors.ConfigError(f"--{name}= says nothing: is a variable of the shell unset?")
    # It would be a directory of that name.
    if isinstance(value, str) and (value == "~" or value.startswith("~/")):
        raise errors.ConfigError(
            f"--{name}={value}: the shell leaves ~ as it is in there; write $HOME{value[1:]}"
        )


def end(body: Callable[[], int | None]) -> NoReturn:
    """Runs a command without flags, and ends the process; see `outcome`."""
    sys.stdout.reconfigure(errors="backslashreplace")  # whatever its encoding lacks
    sys.exit(outcome(body))


def outcome(body: Callable[[], int | None]) -> int:
    """Calls a command's body and returns the exit code.

    Bad input is one line and a 2; a run that cannot go on, or what the machine refuses, such as
    room on a disk, is one line and a 1; one that has diverged, a 3.

    Signals that ask for an end unwind it, so that its children and half-written files are gone
    afterwards.
    """
    try:
        stop_signals.unwind()
        try:
            return body() or 0
        finally:
            start.end_on_signals()
            sys.stdout.flush()
    except SystemExit as ending:
        return ending.code or 0
    except (errors.ConfigError, errors.RunError, ChildError) as error:
        return terminal.fail(str(error), error.code)
    except stop_signals.Interrupted as interruption:
        return interruption.code
    except SystemError as error:  # of compiled code in which a signal came, such as Ray's
        if not isinstance(error.__cause__, stop_signals.Interrupted):
            raise
        return error.__cause__.code
    except BrokenPipeError:  # nobody reads it any more, as after `| head`
        terminal.drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if not whole.describe(error):
            raise
        terminal.drop_output()  # it may be what there is no room for
        return terminal.fail(whole.describe(error), 1)
