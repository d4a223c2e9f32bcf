import os
import signal
import subprocess
import sys

import pytest

from hts_tf.collecting import executor, executor_pool
from hts_tf.environments import tasks


def test_an_executor_loads_no_tensorflow():
    script = (
        "import sys\n"
        "import hts_tf.collecting.executor_process\n"
        "import hts_tf.environments.football.football, hts_tf.environments.synthetic\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "numpy" in loaded
    heavy = {"tensorflow", "keras", "tensorflow_probability", "tf_keras", "tensorboard"}
    assert loaded & heavy == set()


def test_the_package_itself_loads_nothing():
    script = (
        "import sys, hts_tf\n"
        "print(*(name for name in sys.modules if name.split('.')[0] in ('hts_tf', 'numpy')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.split() == ["hts_tf"]


def test_an_executor_without_its_parent_ends_at_once():
    result = subprocess.run(
        [sys.executable, "-c", executor_pool.EXECUTOR, "1"],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode == 1


def test_signals_do_not_end_an_executor_that_starts():
    stop_signals = (signal.SIGINT, signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)  # as the pool does
    command = [sys.executable, "-c", executor_pool.EXECUTOR, str(os.getpid())]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in stop_signals:
            process.send_signal(number)
        _, errors = process.communicate()  # no task comes
    assert (process.returncode, errors.splitlines()[-1]) == (1, b"EOFError: Ran out of input")


class Closing:
    """An environment that fails, or not, when it is closed."""

    def __init__(self, fails):
        self._fails = fails
        self.is_closed = False

    def close(self):
        self.is_closed = True
        if self._fails:
            raise RuntimeError("the log cannot be written")


@pytest.mark.parametrize("owner", [executor.Executor, tasks.TasksEnvironment])
def test_all_environments_are_closed_also_when_one_fails(owner):
    closing = {number: Closing(fails=number == 1) for number in range(3)}
    owning = object.__new__(owner)
    owning._environments = owning._built = dict(closing)
    with pytest.raises(RuntimeError, match="the log"):
        owning.close()
    assert all(environment.is_closed for environment in closing.values())
