"""A Ray cluster of several nodes on this machine: python -m tests.machines.ray_nodes NUMBER

Prints its address, then does what each line of standard input says, and prints "done": "add" adds
a node, "kill" kills one that is not the first, and all that runs there. Ends with its input, and
well if no machine has left files.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

from ray.cluster_utils import Cluster

from tests import waiting

_EACH = {"num_cpus": 4, "object_store_memory": 150 << 20, "node_ip_address": "127.0.0.1"}
_LOOKS = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 3,
}


def main():
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as directory:
        os.environ["RAY_TMPDIR"] = directory  # /tmp/ray may be missing, or another user's
        os.environ["TMPDIR"] = directory
        head = {"include_dashboard": False, "_system_config": _LOOKS}
        cluster = Cluster(initialize_head=True, head_node_args={**_EACH, **head})
        others = [cluster.add_node(**_EACH, wait=False) for _ in range(int(sys.argv[1]) - 1)]
        cluster.wait_for_nodes()
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "add":
                others.append(cluster.add_node(**_EACH))
            else:
                node = others.pop(random.randrange(len(others)))
                cluster.remove_node(node, allow_graceful=False)
            print("done", flush=True)
        cluster.shutdown()
        waiting.until(lambda: not [*Path(directory).glob("hts_tf-*")])


if __name__ == "__main__":
    main()
