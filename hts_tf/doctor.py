"""Says in one screen what is installed, missing or mismatched, and what mends it.

`python -m hts_tf.doctor` exits with 0 when all is well and with 1 otherwise.  It reads metadata
instead of importing TensorFlow, and needs nothing but the standard library, so that it also works
where the set-up has not.

`--fix` runs the commands that mend what is wrong, and examines again.

With RAY_ADDRESS, or `--ray_address`, it asks the machines of that Ray cluster, too.
"""

import argparse
import contextlib
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import NoReturn

from hts_tf import errors
from hts_tf.examining import cluster, distribution, engine_build, machine, python_packages
from hts_tf.examining.finding import SET_UP, Finding
from hts_tf.system import command, installation, processes, stop_signals

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SEC = 0.05


def examine() -> list[Finding]:
    """Examines everything, in the order in which it is shown."""
    has_football = engine_build.is_wanted()
    return [
        *(_football() if has_football else [engine_build.not_wanted()]),
        *python_packages.requirements(has_football),
        python_packages.own_operations(has_football),
        machine.processor(),
        machine.memory(),
        *cluster.machines(),
    ]


def _football() -> list[Finding]:
    return [
        distribution.python(),
        distribution.boost_python(),
        distribution.debian_packages(),
        engine_build.engine(),
    ]


def report(findings: list[Finding]) -> str:
    """Returns the findings as a table, and below it what to do about the problems."""
    width = max(len(finding.name) for finding in findings)
    lines = [
        f"{'PROBLEM' if finding.is_problem else 'ok     '}  {finding.name:<{width}}  "
        f"{finding.detail}"
        for finding in findings
    ]
    commands = mending(findings)
    if commands:
        lines += ["", "To mend it, run:"]
        lines += [f"  {line}" for line in (*commands, examine_again_command(commands))]
    advice = dict.fromkeys(f"  {f.name}: {f.advice}" for f in findings if f.advice)
    if advice:
        lines += ["", "What no command mends:", *advice]
    return "\n".join(lines if commands or advice else [*lines, "", "All is well."])


def mending(findings: list[Finding]) -> list[str]:
    """Returns the commands that mend problems, each once."""
    return [*dict.fromkeys(finding.command for finding in findings if finding.command)]


def examine_again_command(commands: Iterable[str]) -> str:
    """Returns the command that examines what other ones have mended.

    That is another interpreter than this one where the set-up makes one.
    """
    script = installation.set_up_script()
    is_set_up = script and any(command.startswith(script) for command in commands)
    return shlex.join([str(SET_UP) if is_set_up else sys.executable, "-m", "hts_tf.doctor"])


def diagnose(is_to_fix: bool = False) -> int:
    """Prints the report; returns the exit status.

    Args:
      is_to_fix: whether to run the commands that mend problems, where there are any. Then it does
        not return: another doctor takes this process's place.

    Raises:
      RunError: one of the commands failed.
    """
    findings = examine()
    print(report(findings), flush=True)
    commands = mending(findings)
    if is_to_fix and commands:
        _mend(commands)
    return int(any(finding.is_problem for finding in findings))


def _mend(commands: list[str]) -> NoReturn:
    """Runs commands in the terminal that there is, and then the doctor that comes after them.

    That one begins anew: what this interpreter has imported may be another version by then.
    """
    for line in commands:
        print(f"\n$ {line}", flush=True)
        if code := _run(line):
            raise errors.RunError(f"{line}: exit code {code}; what comes after it was not run")
    again = examine_again_command(commands)
    print(f"\n$ {again}", flush=True)
    python, *arguments = shlex.split(again)
    os.execv(python, [python, *arguments])


def _run(line: str) -> int:
    """Runs a line of the shell, and returns its exit code."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # so that none gets lost below
    try:
        with stop_signals.held():  # else one that has begun may be known to nobody
            process = subprocess.Popen(line, shell=True)
        return process.wait()
    except BaseException:  # a signal's, which the line may not have got
        _end_descendants()
        raise


def _end_descendants() -> None:
    """Asks all that this process has started, and what these have, to end, and waits for it."""
    asked: set[int] = set()
    while there := processes.descendants(os.getpid()):
        for pid in there:  # who waits for another comes first: it must not go on
            if pid in asked:
                continue
            # Of sudo, which ends by the terminal's; or it has just ended.
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            asked.add(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(_POLL_SEC)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        "hts_tf.doctor",
        usage=argparse.SUPPRESS,
        description="Says what is installed, missing or mismatched, and what mends it. Ends with "
        "0 when all is well, and with 1 otherwise.",
    )
    parser.add_argument("--ray_address", help="of a cluster to be asked; default: RAY_ADDRESS")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="run the commands that mend what is wrong, one after the other, up to the first that "
        "fails, and examine again; what no command mends is left to you",
    )
    arguments = parser.parse_args()
    if arguments.ray_address:
        os.environ["RAY_ADDRESS"] = arguments.ray_address
    command.end(lambda: diagnose(arguments.fix))


if __name__ == "__main__":
    main()
