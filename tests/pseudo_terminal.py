"""Commands in a pseudo-terminal, as a person starts them."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import hts_tf.system.start
from tests import command_line


def start(module, flags, columns, lines, without=()):
    """Starts `python -m module flags` in a terminal of so many columns and lines.

    Args:
      module: to run.
      flags: of it.
      columns: of the terminal.
      lines: of the terminal.
      without: environment variables that it is not to have.

    Returns:
      The process, and the file descriptor of our end of the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {**os.environ, **hts_tf.system.start.tied()}
    environment.update(TERM="xterm-256color", PYTHONIOENCODING="utf-8")
    for name in ("COLUMNS", "LINES", *without):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags],
        cwd=command_line.ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours
