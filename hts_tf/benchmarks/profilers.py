"""Lets py-spy or perf, whichever is installed, watch a process of a training."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hts_tf import errors
from hts_tf.system.child import ChildError

# py-spy begins each stack with "thread (ID): NAME".
_THREADS = {"executor": "MainThread", "actor": r"actor \d+", "learner": "MainThread"}
_TIED = ("setpriv", "--pdeathsig", "KILL")  # runs what ends with the process that started it
_HOW_TO_INSTALL = ".venv/bin/python -m pip install py-spy, or apt-get install linux-perf"


def find(wanted: str | None) -> tuple[str, str]:
    """Returns (name, path) of an installed profiler.

    Raises:
      ConfigError: there is none.
    """
    # A virtual environment's programs need not be on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in [wanted] if wanted else ["py-spy", "perf"]:
        found = shutil.which(name, path=path)
        if found:
            return name, found
    missing = f"{wanted} is not" if wanted else "neither py-spy nor perf is"
    raise errors.ConfigError(f"{missing} installed: {_HOW_TO_INSTALL}")


def top_functions(stacks: str, thread: str) -> list[str]:
    """Counts where samples stand, and which functions they are in.

    Args:
      stacks: py-spy's raw format, a line "outermost;...;innermost COUNT" for each stack.
      thread: regular expression of the thread's name.

    Returns:
      Lines "self total function", as shares of the samples, most time in itself first.
    """
    own, total = Counter(), Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        name, *frames = stack.split(";")
        if frames and re.fullmatch(rf"thread \(.*\): {thread}", name):
            own[frames[-1]] += int(count)
            total.update(dict.fromkeys(frames, int(count)))
    samples = sum(own.values())
    by_own = sorted(total, key=lambda frame: (-own[frame], -total[frame]))
    return [
        f"{own[frame] / samples:7.1%}{total[frame] / samples:8.1%}  {frame}" for frame in by_own
    ]


def watch(tool: str, path: str, pid: int, role: str, seconds: int) -> list[str]:
    """Watches a process for so many seconds.

    Returns:
      Lines for a screen.

    Raises:
      ChildError: the profiler failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = f"{directory}/samples"
        if tool == "py-spy":
            command_line = [path, "record", "--pid", str(pid), "--duration", str(seconds)]
            command_line += ["--threads", "--idle", "--function", "--format=raw"]
            _call([*command_line, "--nonblocking", "--output", output])
            return [
                "   self   total  function",
                *top_functions(Path(output).read_text(encoding="utf-8"), _THREADS[role]),
            ]
        until = [*_TIED, "sleep", str(seconds)]  # perf ends with what it runs
        _call([path, "record", "-q", "-F", "199", "-p", str(pid), "-o", output, *until])
        report = _call([path, "report", "-i", output, "--stdio", "-q", "--sort=dso,symbol"])
        lines = [line.rstrip(" -") for line in report.splitlines()]
        return ["  share  library and function", *filter(None, lines)]


def _call(arguments: Sequence[str]) -> str:
    """Runs a command and returns what it printed; ends it if it is not waited for."""
    process = subprocess.Popen(
        [*_TIED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, complaints = process.communicate()
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
    if process.returncode:
        said = [line.strip() for line in complaints.splitlines()]
        # perf begins with a line of its own for "Error:", and says what to change in the second.
        why = " ".join([line for line in said if line not in ("", "Error:")][:2])
        raise ChildError(f"{Path(arguments[0]).name} failed: {why or 'no reason given'}", 1)
    return output
