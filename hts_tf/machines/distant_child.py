"""Children on nodes of a Ray cluster, which they share a file system with."""

import functools
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hts_tf import errors
from hts_tf.machines import ray_cluster
from hts_tf.system import stop_signals, terminal
from hts_tf.system.child import Child, ChildError

_BEGIN_SEC = 60.0  # for a node that has to start Python


class _Outcome(NamedTuple):
    """Whether a child has ended, and how, if not well."""

    ended: bool
    error: str = ""
    code: int = 0


class _Keeper:
    """Keeps a child on a node, in an actor of Ray's."""

    def begin(self, module: str, arguments: Sequence[str], log: Path, directory: Path) -> str:
        """Starts it in a directory; or returns that, or the log's, if it is not there."""
        for needed in (directory, log.parent):
            if not needed.is_dir():
                return str(needed)
        os.chdir(directory)
        self._child = Child(module, arguments, log=log)
        return ""

    def ask_to_end(self) -> None:
        self._child.ask_to_end()

    def outcome(self) -> _Outcome:
        try:
            return _Outcome(self._child.has_ended())
        except ChildError as error:
            return _Outcome(True, str(error), error.code)


class DistantChild:
    """A `Child` on a node, with a log; as far as `Training.steps` knows it."""

    def __init__(
        self, ray: Any, node: str, module: str, arguments: Sequence[str], log: Path
    ) -> None:
        """Has it begin there as soon as a processor is free, and does not wait for that."""
        self._ray = ray
        self._node = node
        self._is_given_up = False
        self._warn_at = time.monotonic() + _BEGIN_SEC
        self._keeper = ray_cluster.hire(ray, _Keeper, node)
        # What files and modules are called there is what they are called here.
        self._begun = self._keeper.begin.remote(module, list(arguments), log.resolve(), Path.cwd())
        self._outcome = self._keeper.outcome.remote()  # after that, as Ray keeps to the order

    def __enter__(self) -> "DistantChild":
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.kill(self._keeper)  # the kernel kills the child with it

    def has_ended(self) -> bool:
        """Returns whether it has ended, well; or is never to begin.

        Raises:
          ConfigError: the node does not have the log's directory, or the current one.
          ChildError: it failed, or its node did.
        """
        if self._is_given_up:
            return True
        missing = self._answer(self._begun)
        if missing is None:
            if time.monotonic() > self._warn_at:
                self._warn_at = math.inf
                terminal.warn(f"node {self._node} has no processor free for another trial: waiting")
            return False
        if missing:
            raise errors.ConfigError(
                f"node {self._node} does not have {missing}: all nodes must share --output and the "
                "directory in which the command is given",
                page="comparing.md#searching-settings",
            )
        outcome = self._answer(self._outcome)
        if outcome is None:
            return False
        self._outcome = self._keeper.outcome.remote()
        if outcome.error:
            raise ChildError(outcome.error, outcome.code)
        return outcome.ended

    def ask_to_end(self) -> None:
        """Asks it to end; gives it up if it has yet to begin. Raises: ChildError: see above."""
        if self._answer(self._begun) is None:
            self._is_given_up = True
        else:
            self._keeper.ask_to_end.remote()

    def _answer(self, reference: Any) -> Any:
        """Returns what a call has come to, None if it has yet to; waits for nobody."""
        with stop_signals.held():  # else Ray's compiled code makes a SystemError of what they raise
            if not self._ray.wait([reference], timeout=0)[0]:
                return None
            try:
                return self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise ChildError(f"node {self._node}: {errors.in_a_line(error.cause)}", 1) from None
            except self._ray.exceptions.RayError as error:
                reason = errors.in_a_line(error)
                raise ChildError(
                    f"node {self._node} is lost; the same command goes on ({reason})", 1
                ) from None


def on_nodes(ray: Any) -> list[Callable[..., DistantChild]]:
    """Returns for each node that counts a processor what starts a child there.

    Raises:
      ConfigError: none does.
    """
    nodes = ray_cluster.nodes(ray, num_cpus=1)
    if not nodes:
        raise errors.ConfigError(
            "--ray_address: no node counts a processor, as a trial needs: start Ray with "
            "--num-cpus=1 or more on those that are to train"
        )
    return [functools.partial(DistantChild, ray, node) for node in nodes]
