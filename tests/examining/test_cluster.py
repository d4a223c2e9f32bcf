import contextlib
import socket
import subprocess
import sys
import tempfile

import pytest

from hts_tf.examining import cluster
from tests import command_line


def test_a_cluster_needs_ray(monkeypatch):
    monkeypatch.setattr(cluster.scope, "package_version", lambda _: "not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (finding,) = cluster.machines()
    assert "launch/setup.sh --extras=cluster" in finding.detail
    assert not finding.is_problem, "it is optional"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    (finding,) = cluster.machines()
    assert finding.command.endswith("launch/setup.sh --extras=cluster")


def test_without_an_address_machines_are_processes(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (finding,) = cluster.machines()
    assert "processes of this machine" in finding.detail
    assert not finding.is_problem


@pytest.fixture
def unused():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_cluster_that_is_not_there(monkeypatch, unused):
    monkeypatch.setenv("RAY_ADDRESS", unused)
    (finding,) = cluster.machines()
    assert finding.is_problem
    assert f"--ray_address={unused}: no cluster that can be used" in finding.detail


def test_the_flag_of_a_cluster_that_is_not_there(monkeypatch, unused):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")
    code, output, errors = command_line.run("hts_tf.doctor", f"--ray_address={unused}")
    assert (code, errors) == (1, "")
    assert f"--ray_address={unused}: no cluster that can be used" in output


def test_what_differs_between_machines():
    here = {"python": "3.12.1", "commit": "a", "processor": "Fast (avx2)"}
    (finding,) = cluster._differences("x", here, {**here, "commit": "b"})
    assert not finding.is_problem
    (finding,) = cluster._differences("Machine 10.0.0.2", here, {**here, "python": "3.12.2"})
    assert finding.name == "Machine 10.0.0.2"
    assert finding.detail == "python 3.12.2, this one 3.12.1"
    assert "training refuses" in finding.advice
    (finding,) = cluster._differences("x", here, {**here, "processor": "Slow (plain)"})
    assert "refuses" not in finding.advice


# Nodes on loopback, the second with a setting that the first has not; ends with its input.
NODES = """
import os, sys
from ray import cluster_utils
os.environ["RAY_TMPDIR"] = sys.argv[1]  # /tmp/ray may be missing, or another user's
node = {"num_cpus": 1, "include_dashboard": False}
cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
if sys.argv[2] == "2":
    cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextlib.contextmanager
def nodes(monkeypatch, number, mode):
    """The address of a Ray cluster that wants the token in RAY_AUTH_TOKEN, or none."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback only
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 32)
    # A short path, as there are sockets in it.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as directory:
        command = [sys.executable, "-c", NODES, directory, str(number)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield process.stdout.readline().decode().strip()
            process.stdin.close()


@pytest.fixture
def two_nodes(monkeypatch):
    with nodes(monkeypatch, 2, "token") as address:
        yield address


@pytest.mark.slow
def test_a_cluster_that_lets_in_who_has_no_token(monkeypatch):
    """Also if one has a token oneself."""
    with nodes(monkeypatch, 1, "disabled") as address:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        code, output, _ = command_line.run("hts_tf.doctor", f"--ray_address={address}")
    assert code == 1
    (line,) = [line for line in output.splitlines() if "Cluster's token " in line]
    assert line.startswith("PROBLEM")
    assert "Cluster's token: set RAY_AUTH_MODE=token on all machines" in output


@pytest.mark.slow
def test_machines_of_a_cluster(two_nodes, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", two_nodes)
    code, output, _ = command_line.run("hts_tf.doctor")
    assert code == 1
    assert f" at {two_nodes}, machines: 2\n" in output
    assert "Cluster's token" not in output
    (line,) = [line for line in output.splitlines() if " Machine 127.0.0.1 " in line]
    assert line.startswith("PROBLEM")
    assert line.endswith("environment variables TF_ENABLE_ONEDNN_OPTS=0, this one none that matter")

    monkeypatch.setenv("RAY_AUTH_TOKEN", "b" * 32)
    code, output, _ = command_line.run("hts_tf.doctor")
    assert code == 1
    assert "no cluster that can be used" in output
    assert "Machine 127" not in output
