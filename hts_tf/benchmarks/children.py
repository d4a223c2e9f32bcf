"""Child processes that end with the benchmark that started them, however it ends."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hts_tf import errors

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_GRACE_SEC = 60.0  # a training stops at its next sync point, and writes a checkpoint


class ChildError(Exception):
    """A child process failed.

    Attributes:
      code: 2 if it refused its flags, else 1.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Child:
    """A Python module at work in a process of its own; use with `with`.

    Leaving the block asks it to end (SIGTERM) and waits; leaving by an exception kills it at once.
    The kernel kills it if this process is gone.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        """Starts `python -m module arguments`, with further environment variables."""
        self._module = module
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed by __exit__
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl-C is for the benchmark alone
            preexec_fn=end_with_parent,
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
        for file in (self._process.stdin, self._process.stdout, self._stderr):
            with contextlib.suppress(OSError):
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
        return line.rstrip("\n")

    def kill(self) -> None:
        """Ends the child at once; its own children must end with it."""
        self._process.kill()

    def check(self) -> None:
        """Raises: ChildError: the child has ended, well or not."""
        if self._process.poll() is not None:
            raise self._failure()

    def _failure(self) -> ChildError:
        code = self._process.returncode
        self._stderr.seek(0)
        lines = self._stderr.read().strip().splitlines()
        why = lines[-1].removeprefix("error: ") if lines else ""
        if code == 2:
            return ChildError(why, 2)
        ended = f"{self._module} ended early with exit code {code}"
        return ChildError(f"{ended}: {why}" if code and why else ended, 1)


def end_with_parent() -> None:
    """For `preexec_fn`: the kernel kills the new process when the one that started it is gone."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def measure(
    module: str,
    tasks: Sequence[Mapping[str, Any]],
    environment: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> list[dict[str, float]]:
    """Runs one child for each task, all at the same time; see `serve` for their part.

    Returns:
      What each of them measured.

    Raises:
      ChildError: one failed.
    """
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(Child(module, [json.dumps(task)], environment, python))
            for task in tasks
        ]
        for child in children:
            child.hear()
        for child in children:
            child.say("go")
        return [json.loads(child.hear()) for child in children]


def serve(prepare: Callable[..., Callable[[], dict[str, float]]]) -> None:
    """The part of a child that `measure` started.

    Args:
      prepare: gets the task as keyword arguments, and returns what is to be called when all
        children are ready.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # engines and libraries may print what they like
    try:
        body = prepare(**json.loads(sys.argv[1]))
    except errors.ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print("ready", file=answers, flush=True)
    if sys.stdin.readline():  # else the benchmark is gone
        print(json.dumps(body()), file=answers, flush=True)
