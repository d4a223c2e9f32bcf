"""Child processes that end with the command that started them, however it ends."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from hts_tf import errors
from hts_tf.system import processes, start, terminal, whole

# Also what has a process group of its own; twice, for what was started meanwhile. Names of
# processes may have anything in them. See `processes.cleans_up`, too.
_END_SESSION = """trap '' INT TERM HUP
read -r _
for _ in 1 2; do
  for stat in /proc/[0-9]*/stat; do
    last=
    while read -r line; do last=$line; done <"$stat"
    set -- ${last##*)}
    pid=${stat#/proc/}
    pid=${pid%/stat}
    [ "$4" != "$0" ] || [ "$pid" = $$ ] ||
      grep -qs multiprocessing.resource_tracker "/proc/$pid/cmdline" || kill -KILL "$pid"
  done
done"""
_MOST_PRINTED_BYTES = 1 << 20  # that are kept of what nobody has asked for
_GRACE_SEC = 60.0  # a training stops at its next sync point, and writes a checkpoint


class ChildError(Exception):
    """A child process failed.

    Attributes:
      code: that of the child's error, see `errors`; 1 if it ended otherwise.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Child:
    """A Python module at work in a process of its own; use with `with`.

    Leaving the block asks it to end (SIGTERM) and waits; leaving by an exception kills it at once.
    The kernel kills it, if it is of this package, when this process is gone.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        log: Path | None = None,
    ) -> None:
        """Starts a child.

        Args:
          module: to run, as `python -m module arguments`.
          arguments: of the module.
          environment: variables besides those of this process.
          python: interpreter.
          log: a file to which all that the child prints is appended; None leaves it to `hear`.
        """
        self._module = module
        self._is_asked_to_end = False
        mode = {"mode": "a+", "errors": "replace"}  # an engine may print anything
        if log:
            self._log = open(log, opener=whole.no_link, **mode)  # noqa: SIM115
        else:
            self._log = tempfile.TemporaryFile(**mode)  # noqa: SIM115
        self._log_start = self._log.tell()
        self._forgets = log is None
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=self._log if log else subprocess.PIPE,
            stderr=self._log,
            text=True,
            errors="replace",
            env={**os.environ, **start.tied(), **(environment or {})},
            start_new_session=True,  # Ctrl-C is for this process, which passes it on
        )
        self.pid = self._process.pid

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Not `wait`: whoever still writes to a full pipe would never end.
                self._process.communicate(timeout=_GRACE_SEC)
        self._process.kill()
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError):
                if file is not None:
                    file.close()

    def say(self, line: str) -> None:
        """Writes a line to the child.

        Raises:
          ChildError: it has ended.
        """
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None

    def hear(self) -> str:
        """Waits for a line of the child.

        Raises:
          ChildError: it has ended instead.
        """
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise self._failure()
        if self._forgets and os.fstat(self._log.fileno()).st_size > _MOST_PRINTED_BYTES:
            self._log.seek(0)  # where both write: one that lives long may print without end
            self._log.truncate()
        return line.rstrip("\n")

    def kill(self) -> None:
        """Ends the child at once; its own children must end with it."""
        self._process.kill()

    def check(self) -> None:
        """Raises: ChildError: the child has ended, well or not."""
        if self.has_ended():
            raise self._failure()

    def wait(self) -> None:
        """Waits until the child has ended, well. Raises: ChildError: it failed."""
        if self._process.stdout:
            self._process.communicate()  # what it prints would fill the pipe, and it would wait
        self._process.wait()
        self.has_ended()

    def has_ended(self) -> bool:
        """Returns whether the child has ended, well. Raises: ChildError: it failed."""
        code = self._process.poll()
        if code is None:
            return False
        # A signal may come before the child knows what to do with it, or when it is over; and who
        # stops a whole job sends its own to all of its processes.
        signals = start.stopping() if self._is_asked_to_end else ()
        if code not in (0, *(code for number in signals for code in (-number, 128 + number))):
            raise self._failure()
        return True

    def ask_to_end(self) -> None:
        """Asks a child with a log to end (SIGTERM); once, as more would mean: at once."""
        if not self._is_asked_to_end:
            self._is_asked_to_end = True
            self._process.terminate()

    def _failure(self) -> ChildError:
        code = self._process.returncode
        if code < 0:
            return ChildError(f"{self._module} {processes.how_it_ended(code)}", 1)
        self._log.seek(self._log_start)
        lines = self._log.read().strip().splitlines()
        why = lines[-1].removeprefix(terminal.FAILED) if lines else ""
        if code in (errors.ConfigError.code, errors.DivergenceError.code):
            return ChildError(why, code)
        ended = f"{self._module} ended early with exit code {code}"
        return ChildError(f"{ended}: {why}" if code and why else ended, 1)


def run(module: str, arguments: Sequence[str]) -> None:
    """Runs a module in a process of its own. Raises: ChildError: it failed."""
    with Child(module, arguments) as child:
        child.wait()


def answer_channel() -> TextIO:
    """Returns where a child writes what it is to be heard saying; called before all else.

    What environments, engines and libraries print goes to standard error from then on.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def end_session_with_this_process() -> None:
    """Has the processes that environments start killed when this one is gone, however it went.

    To be called by the leader of a session.
    """
    with _open_until_this_process_ends() as pipe:
        subprocess.Popen(
            ["/bin/sh", "-c", _END_SESSION, str(os.getsid(0))],
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def remove_after_this_process(directory: str) -> None:
    """Has a directory removed when this process is gone, however it went.

    By a process that is neither in its session nor its child, which others may kill with it.
    """
    # Again and again, for what others are still writing there.
    waiting = """trap '' INT TERM HUP; read -r _ <&3
for _ in 1 2 3 4 5 6 7 8; do rm -rf "$0"; [ -e "$0" ] || sleep 0.5; done"""
    with _open_until_this_process_ends() as pipe:
        subprocess.run(
            ["/bin/sh", "-c", f"exec 3<&0; ({waiting}) &", directory],
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )


@contextlib.contextmanager
def _open_until_this_process_ends() -> Iterator[int]:
    """Yields the reading end of a pipe, for another process, that ends when this one is gone."""
    until_it_ends, held = os.pipe()  # the kernel closes it, when the exit code is settled
    once = [held]  # as children of children would close what has got its number since
    os.register_at_fork(after_in_child=lambda: once and os.close(once.pop()))
    yield until_it_ends
    os.close(until_it_ends)
