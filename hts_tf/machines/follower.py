"""A follower: what a machine does that is not the first one."""

import gc
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from hts_tf.system import child


class Order(NamedTuple):
    """What a follower is to do.

    Attributes:
      configuration: see `gin.config_str`.
      modules: of the user's, that it may import.
      seed: of the run.
      number: of the machine.
      size: of the team.
      intra_op_threads: of the first machine's TensorFlow: sums depend on how they are divided.
    """

    configuration: str
    modules: Sequence[str]
    seed: int
    number: int
    size: int
    intra_op_threads: int


class Follower:
    """Makes its share of a run, in an actor of Ray's: keeps nothing, shows nothing."""

    def __init__(self) -> None:
        """Sees to it that this process does not outlive Ray's on this node, nor its files it."""
        self._is_configured = False
        self._directory = tempfile.mkdtemp(prefix="hts_tf-")
        child.remove_after_this_process(self._directory)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
        from hts_tf.files import scope

        self._scope = scope.describe()  # of the code that is imported here, also if it changes

    def scope(self) -> dict[str, str]:
        """Returns what the bits may depend on there, see `files.scope`."""
        return self._scope

    def run(self, order: Order, exchange: Any) -> None:
        """Runs to the end of the run, or until a machine is lost; may be called again then.

        Raises:
          RunError: the run cannot go on.
        """
        import hts_tf.system.quiet_tensorflow  # noqa: F401
        from hts_tf import config
        from hts_tf.build import build
        from hts_tf.machines.exchange import RayTeam
        from hts_tf.settings import Settings
        from hts_tf.system import compute

        gc.collect()  # a run that was lost with another machine: its parts hold on to each other
        config.load_text(order.configuration, "machine 0", order.modules)
        if not self._is_configured:  # TensorFlow lets nobody do that twice
            compute.configure(intra_op_threads=order.intra_op_threads)
            self._is_configured = True
        with tempfile.TemporaryDirectory(dir=self._directory) as workdir:
            team = RayTeam(exchange, order.number, order.size)
            build(Settings(), workdir, order.seed, team=team).run()


def _end_with_parent(parent: int) -> None:
    """Ends this process, and so its executors, soon after Ray's process on this node has ended.

    Ray leaves that to the next call that a worker makes; this one may be waiting for others.
    """
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
