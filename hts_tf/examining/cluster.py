"""The machines of a Ray cluster: whether they answer, and what differs between them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from hts_tf import errors
from hts_tf.examining.finding import Finding
from hts_tf.files import scope
from hts_tf.machines import ray_cluster
from hts_tf.machines.follower import Follower
from hts_tf.system import installation

# How long a machine of a cluster may take to say what it has: Ray starts a process there.
ANSWER_SEC = 120.0
_PROBE_SEC = 60.0
_OF_A_CLUSTER = (
    "start Ray there, with the same RAY_AUTH_MODE and token here; or unset RAY_ADDRESS, to use "
    "this machine alone"
)


def machines() -> Iterator[Finding]:
    """Yields whether several machines can make one run, and what differs between them."""
    version = scope.package_version("ray")
    address = ray_cluster.address(None)
    if version == "not installed":
        command = installation.extra_command("cluster")
        if address:
            yield Finding("Cluster", "RAY_ADDRESS is set, but Ray is not installed", command)
        else:
            yield Finding("Cluster", f"Ray is not installed, optional: {command}")
        return
    if not address:
        detail = (
            f"Ray {version}; no RAY_ADDRESS, so --num_machines counts processes of this machine"
        )
        yield Finding("Cluster", detail)
        return
    try:
        with ray_cluster.connected(address, num_processes=1) as ray:
            yield from _of_cluster(ray, address)
    except errors.ConfigError as error:
        yield Finding("Cluster", str(error), advice=_OF_A_CLUSTER)


def _is_open(address: str) -> bool | None:
    """Returns whether a cluster lets in who has no token; None if that cannot be told.

    With a token, one does not notice.
    """
    asking = [sys.executable, "-m", "ray.scripts.scripts", "health-check", f"--address={address}"]
    without = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    try:
        asked = subprocess.run(
            asking, env=without, capture_output=True, text=True, check=False, timeout=_PROBE_SEC
        )
    except subprocess.TimeoutExpired:
        return None
    if asked.returncode == 0:
        return True
    return False if "authenticat" in f"{asked.stdout}{asked.stderr}".lower() else None


def _of_cluster(ray: Any, address: str) -> Iterator[Finding]:
    """Yields how many there are, and what training would say of them before it begins."""
    *others, _ = ray_cluster.of_machines(ray)
    yield Finding("Cluster", f"Ray {ray.__version__} at {address}, machines: {len(others) + 1}")
    is_open = _is_open(ray.get_runtime_context().gcs_address)
    if is_open is None:
        yield Finding("Cluster's token", "whether one is wanted could not be tried")
    if is_open:
        yield Finding(
            "Cluster's token",
            "none: whoever reaches its ports can run what he likes on all machines",
            advice="set RAY_AUTH_MODE=token on all machines before Ray starts "
            "(see docs/cluster.md#security)",
        )
    names = {node["NodeID"]: f"Machine {node['NodeManagerAddress']}" for node in ray.nodes()}
    # As training does, but for the processor that a follower takes: others may be running.
    followers = [ray_cluster.hire(ray, Follower, node, num_cpus=0) for node in others]
    here = scope.describe()
    answers = [follower.scope.remote() for follower in followers]
    deadline = time.monotonic() + ANSWER_SEC  # of all: they begin at the same time
    for node, answer in zip(others, answers, strict=True):
        try:
            there = ray.get(answer, timeout=max(0.0, deadline - time.monotonic()))
        except ray.exceptions.RayError as error:
            detail = f"does not answer ({errors.in_a_line(error)})"
            advice = "set hts_tf up there as it is here, and restart Ray"
            yield Finding(names[node], detail, advice=advice)
            continue
        yield from _differences(names[node], here, there)


def _differences(name: str, here: dict[str, str], there: dict[str, str]) -> Iterator[Finding]:
    found = scope.differences(here, there)
    if not found:
        yield Finding(name, "the same as this one in all that bits depend on, but for environments")
    for what, ours, theirs in found:
        if what in scope.OF_SOFTWARE:
            advice = "install the same on all machines; training refuses these"
        else:
            advice = "use machines of one kind: if it computes other bits, results are others"
        yield Finding(name, f"{what} {theirs}, this one {ours}", advice=advice)
