"""What the doctor finds, and what mends it."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import hts_tf
from hts_tf.system import installation

# The interpreter that launch/setup.sh sets up.
SET_UP = Path(hts_tf.__file__).parents[1] / ".venv/bin/python"


class Finding(NamedTuple):
    """One line of the report; a problem has a command, or else advice.

    Attributes:
      name: of what was examined.
      detail: what was found.
      command: of the shell, that mends it.
      advice: what to do where no command mends it.
    """

    name: str
    detail: str
    command: str | None = None
    advice: str | None = None

    @property
    def is_problem(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.command or self.advice)


def needs_set_up(name: str, detail: str) -> Finding:
    """Returns a problem that the set-up mends, which there is only in a checkout."""
    script = installation.set_up_script()
    if script is None:
        return Finding(name, detail, advice=installation.football_command())
    # It leaves alone what it has made, as far as it knows.
    is_its_own = Path(sys.prefix).resolve() == SET_UP.parents[1].resolve()
    return Finding(name, detail, f"{script} --force" if is_its_own else script)


def packages_command(names: str) -> str:
    """Returns the command that installs Debian packages, as this user has to write it."""
    as_root = "" if os.geteuid() == 0 else "sudo "
    install = f"apt-get install -y --no-install-recommends {names}"
    return f"{as_root}apt-get update && {as_root}{install}"
