"""Ray, as this project uses it: a cluster of its own on this machine, or one that there is."""

import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from hts_tf import errors
from hts_tf.system import child, installation, stop_signals

# Errors that nobody asks for are of no interest: who waits for a machine hears of its loss.
_QUIET = {"RAY_IGNORE_UNHANDLED_ERRORS": "1"}
_ALWAYS = {
    **_QUIET,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_process_group_cleanup_enabled": "1",  # what a worker starts ends with it
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # again, in whatever thread comes too late
    "RAY_AUTH_MODE": "token",
    "RAY_NUM_REDIS_GET_RETRIES": "1",  # to connect; by default 20, which are 14 minutes
}
_REACH_SEC = 10.0
# Bytes: the name of a socket has 107 at most, of which our directory and Ray's take up to 77.
_SHORT = 107 - 77

# Else Ray listens on all interfaces; the loopback one is for what it takes for a laptop.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def address(given: str | None) -> str | None:
    """Returns that of the cluster to use, a flag's or else RAY_ADDRESS; None for one of our own."""
    found = given or os.environ.get("RAY_ADDRESS")
    return None if found in ("", "local") else found


@contextlib.contextmanager
def connected(address: str | None, num_processes: int) -> Iterator[Any]:
    """Yields the module `ray`, connected to a cluster.

    One of our own listens on the loopback interface only, wants a token that nobody else has, and
    ends with this process, at the latest.

    Args:
      address: of a cluster; None for one of our own.
      num_processes: that are to run on one of our own.

    Raises:
      ConfigError: Ray is not installed, or there is no cluster, nor room for one of our own.
    """
    with contextlib.ExitStack() as stack:
        kind = {"address": address}
        if not address:
            # Not /tmp/ray, which may be another user's.
            directory = stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="ray-", dir=_short_directory(), ignore_cleanup_errors=True
                )
            )
            child.remove_after_this_process(directory)
            kind = {
                "address": "local",
                "num_cpus": num_processes,
                "include_dashboard": False,
                "_temp_dir": directory,
            }
        else:
            _reach(address)
        _set_environment(is_own=not address)
        with installation.needing("cluster", "a Ray cluster"):
            import ray
        stack.callback(ray.shutdown)
        with stop_signals.not_swallowed():  # Ray sets handlers of its own
            try:
                ray.init(**kind, logging_level="error")
            except (
                *(ConnectionError, RuntimeError, ValueError, OSError),
                ray.exceptions.RayError,  # such as that there is no token
            ) as error:
                reason = errors.in_a_line(error)
                raise errors.ConfigError(
                    f"--ray_address={address}: no cluster that can be used, or not with this token "
                    f"(or, with RAY_AUTH_MODE=disabled, without one): {reason}"
                    if address
                    else f"Ray does not start here ({reason})",
                    page="cluster.md#on-a-cluster-that-there-is" if address else None,
                ) from error
        yield ray


def _short_directory() -> str:
    """Returns where the files of a Ray of our own can be, as there are sockets among them.

    Raises:
      ConfigError: nowhere.
    """
    usual = tempfile.gettempdir()
    for directory in (usual, "/tmp", "/var/tmp"):
        is_short = len(os.fsencode(directory)) <= _SHORT
        if is_short and os.access(directory, os.W_OK | os.X_OK):
            return directory
    raise errors.ConfigError(
        f"Ray does not start: set TMPDIR to a directory whose name has {_SHORT} bytes or fewer, "
        f"not {usual}"
    )


def _set_environment(is_own: bool) -> None:
    """Sets what Ray reads when it is imported, where the user has not."""
    own = {**_LOOPBACK, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in {**_ALWAYS, **(own if is_own else {})}.items():
        os.environ.setdefault(name, value)


def nodes(ray: Any, num_cpus: int = 0) -> list[str]:
    """Returns the nodes that live and count so many processors, this one last."""
    here = ray.get_runtime_context().get_node_id()
    found = [
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= num_cpus
    ]
    return sorted(found, key=lambda node: (node == here, node))


def of_machines(ray: Any) -> list[str]:
    """Returns the nodes that can be machines of one run, this one last.

    A follower takes one of the processors that Ray counts; the first machine, this one, takes none.
    """
    here = nodes(ray)[-1]
    return [*(node for node in nodes(ray, num_cpus=1) if node != here), here]


def place(ray: Any, node: str) -> Any:
    """Returns what has Ray start an actor on this node, and on no other."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def hire(ray: Any, kind: type, node: str, num_cpus: int = 1) -> Any:
    """Returns a new actor of that class on a node, for which Ray counts so many processors."""
    # Which Ray would set, and which is part of the scope.
    environment = {**_QUIET, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "")}
    return (
        ray.remote(kind)
        .options(
            num_cpus=num_cpus,
            scheduling_strategy=place(ray, node),
            runtime_env={"env_vars": environment},
        )
        .remote()
    )


def _reach(address: str) -> None:
    """Raises: ConfigError: nothing listens there, which Ray says later and in many lines."""
    host, _, port = address.rpartition(":")
    if "/" in host or not port.isdecimal():  # such as "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SEC).close()
    except (OSError, OverflowError) as error:
        raise errors.ConfigError(
            f"--ray_address={address}: no cluster that can be used ({error})",
            page="cluster.md#on-a-cluster-that-there-is",
        ) from error
