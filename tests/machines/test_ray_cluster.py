import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import command_line, waiting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'cluster' is not installed"),
]

KILLED = """
import os, signal
from hts_tf.machines import ray_cluster

with ray_cluster.connected(None, 1):
    os.kill(os.getpid(), signal.SIGKILL)
"""

STARTED = """
from hts_tf.machines import ray_cluster

with ray_cluster.connected(None, 1) as ray:
    print(len(ray_cluster.nodes(ray)))
"""

SWALLOWED = """
import contextlib, signal
import ray
from hts_tf.machines import ray_cluster
from hts_tf.system import command, stop_signals

def init(**_):
    with contextlib.suppress(stop_signals.Interrupted):
        signal.raise_signal(signal.SIGTERM)

def body():
    ray.init = init
    with ray_cluster.connected(None, 1):
        print("goes on")

command.end(body)
"""


def run(program, directory):
    environment = {**os.environ, "PYTHONPATH": str(command_line.ROOT), "TMPDIR": directory}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_nothing_is_left_of_a_ray_of_our_own_whose_command_is_killed():
    with tempfile.TemporaryDirectory(prefix="of-ray-") as directory:  # short
        assert run(KILLED, directory).returncode == -signal.SIGKILL
        waiting.until(lambda: not [*Path(directory).iterdir()])


def test_a_signal_that_ray_swallows_while_it_starts_is_not_lost(tmp_path):
    done = run(SWALLOWED, str(tmp_path))
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")


def test_a_ray_of_our_own_starts_wherever_temporary_files_are(tmp_path):
    """Names of sockets must be short."""
    directory = tmp_path / ("long" * 20)
    directory.mkdir()
    done = run(STARTED, str(directory))
    assert (done.returncode, done.stdout) == (0, "1\n")
