"""Commands as forks of a process that has loaded TensorFlow, which is half of their start."""

import ctypes
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from multiprocessing import forkserver
from pathlib import Path

# Nothing of ours, so that a command imports its modules itself, in its own order.
_LOADED = [
    *("absl.app", "annotated_types", "gin", "keras", "numpy", "pydantic.type_adapter"),
    *("rich.console", "rich.progress_bar", "rich.rule", "rich.table"),
    *("tensorboard.summary.writer.record_writer", "tensorboard.util.tensor_util", "tensorflow"),
]
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_LOADED)


class Forked:
    """`python -m module arguments` in a session of its own; what tests use of a `Popen`."""

    def __init__(self, module, arguments, environment):
        readers, writers = zip(*(_SERVER.Pipe(duplex=False) for _ in range(2)), strict=True)
        command = (module, arguments, environment, str(Path.cwd()), *writers)
        self._process = _SERVER.Process(target=_run, args=command)
        self._process.start()
        self.stdout, self.stderr = (open(os.dup(r.fileno())) for r in readers)  # noqa: PTH123, SIM115
        for end in (*readers, *writers):
            end.close()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self._process.terminate()

    def kill(self):
        self._process.kill()

    def communicate(self):
        """Waits for the end; returns what is left of standard output and standard error."""
        errors = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()))
        reader.start()
        output = self.stdout.read()
        reader.join()
        self.__exit__()
        return output, *errors

    def __enter__(self):
        return self

    def __exit__(self, exception=None, *_):
        if exception:  # a test that has failed awaits nothing more
            self.kill()
        self.stdout.close()
        self.stderr.close()
        self.wait()


def _end_with_tests():
    """Has this process end with the server, and the server with the tests, however these end."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The server lives as long as anybody has this end of a pipe, which each of its children gets.
    os.close(forkserver._forkserver._forkserver_alive_fd)


def _run(module, arguments, environment, directory, *streams):
    gc.freeze()  # what is loaded: neither to be looked at nor to be copied
    _end_with_tests()
    os.setsid()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.path[:0] = [directory, *environment["PYTHONPATH"].split(os.pathsep)]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
