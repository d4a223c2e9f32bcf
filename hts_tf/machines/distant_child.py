"""Children on nodes of a Ray cluster, which they share a file system with."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hts_tf import errors
from hts_tf.machines import ray_cluster
from hts_tf.system import terminal
from hts_tf.system.child import Child, ChildError

_BEGIN_SEC = 60.0  # for a node that has to start Python


class _Outcome(NamedTuple):
    """Whether a child has ended, and how, if not well."""

    ended: bool
    error: str = ""
    code: int = 0


class _Keeper:
    """Keeps a child on a node, in an actor of Ray's."""

    def begin(self, module: str, arguments: Sequence[str], log: str) -> bool:
        """Starts it, and returns whether the directory of its log is there."""
        if not Path(log).parent.is_dir():
            return False
        self._child = Child(module, arguments, log=Path(log))
        return True

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
        """Starts it there.

        Raises:
          ConfigError: the node does not have the directory of the log.
          ChildError: the node is lost.
        """
        self._ray = ray
        self._node = node
        self._keeper = ray_cluster.hire(ray, _Keeper, node)
        asked = self._keeper.begin.remote(module, list(arguments), str(log.resolve()))
        if ray.wait([asked], timeout=_BEGIN_SEC)[1]:
            terminal.warn(f"node {node} has no processor free for another trial: waiting")
        if not self._get(asked):
            raise errors.ConfigError(
                f"--output: node {node} does not have {log.parent.resolve()}; all nodes must share "
                "the directory",
                page="comparing.md#searching-settings",
            )

    def __enter__(self) -> "DistantChild":
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.kill(self._keeper)  # the kernel kills the child with it

    def has_ended(self) -> bool:
        """Returns whether it has ended, well. Raises: ChildError: it failed, or its node did."""
        outcome = self._get(self._keeper.outcome.remote())
        if outcome.error:
            raise ChildError(outcome.error, outcome.code)
        return outcome.ended

    def ask_to_end(self) -> None:
        """Asks it to end. Raises: ChildError: its node is lost."""
        self._get(self._keeper.ask_to_end.remote())

    def _get(self, reference: Any) -> Any:
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
    """Returns for each node what starts a child there."""
    return [functools.partial(DistantChild, ray, node) for node in ray_cluster.nodes(ray)]
