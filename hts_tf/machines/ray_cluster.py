"""Ray, as this project uses it: a cluster of its own on this machine, or one that there is."""

import os
import secrets
import tempfile
from typing import Any

from hts_tf import errors
from hts_tf.system import start

# Ray binds all interfaces unless it takes the machine for a laptop.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_process_group_cleanup_enabled": "1",
    "RAY_DEDUP_LOGS": "0",
}


def connect(address: str | None, num_processes: int) -> Any:
    """Connects to a cluster, or starts one on this machine, and returns the module `ray`.

    One of our own listens on the loopback interface only, wants a token that nobody else has, and
    ends with this process.

    Args:
      address: of a cluster; None for one on this machine, unless RAY_ADDRESS names another.
      num_processes: that are to run on one of our own.

    Raises:
      ConfigError: Ray is not installed, or there is no cluster.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    own = {} if address else {**_LOOPBACK, "RAY_AUTH_MODE": "token"}
    for name, value in {**_ALWAYS, **own}.items():
        os.environ.setdefault(name, value)
    if not address:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        import ray
    except ImportError:
        raise errors.ConfigError(
            "--num_machines needs Ray, which is not installed: ./launch/setup.sh --extras=cluster"
        ) from None
    kind = {"address": address}
    if not address:
        # Not /tmp/ray, which another user may own; short, as sockets lie in it.
        kind = {
            "address": "local",
            "num_cpus": num_processes,
            "include_dashboard": False,
            "_temp_dir": tempfile.mkdtemp(prefix="ray-"),
        }
    try:
        ray.init(**kind, logging_level="error", log_to_driver=True)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise errors.ConfigError(
            f"--ray_address={address}: there is no cluster that can be used ({reason[:300]})"
            if address
            else f"Ray does not start here ({reason[:300]})"
        ) from error
    finally:
        start.end_on_signals()  # Ray has set handlers of its own
    return ray


def nodes(ray: Any) -> list[str]:
    """Returns the nodes that live, this one last."""
    here = ray.get_runtime_context().get_node_id()
    found = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    return sorted(found, key=lambda node: (node == here, node))
