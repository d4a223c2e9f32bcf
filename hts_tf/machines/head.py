"""The first machine: finds the others, has them follow, and does without those that are lost."""

import dataclasses
import threading
import time
from collections.abc import Sequence
from typing import Any

import gin

from hts_tf import errors, operative, run_scope
from hts_tf.files import scope
from hts_tf.machines import ray_cluster
from hts_tf.machines.follower import Follower, Order
from hts_tf.system import compute, terminal, whole
from hts_tf.team import MachineLostError, Team

_BETWEEN_LOOKS_SEC = 1.0
_BEGIN_SEC = 60.0  # for nodes that have to start Python
_GRACE_SEC = 20.0  # for a follower to end what it has begun


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What is asked of a cluster.

    Attributes:
      num_machines: to make the run, this one included.
      timeout_sec: after which a machine that does not answer is lost.
      replacement_sec: how long to wait for another in place of one that is lost.
    """

    num_machines: int
    timeout_sec: float
    replacement_sec: float


class Machines:
    """The machines of a run, from the first one's point of view.

    Attributes:
      reason: what a follower has raised itself, if that is why it was lost; it names the machine.
    """

    def __init__(self, ray: Any, wishes: Wishes, seed: int, are_on_one: bool) -> None:
        """Remembers its arguments, and what software this is.

        Args:
          ray: the module, connected, see `ray_cluster.connected`.
          wishes: what is asked of the cluster.
          seed: of the run.
          are_on_one: whether all are processes of this machine, as on a Ray of our own.
        """
        self._ray = ray
        self._wishes = wishes
        self._seed = seed
        self._hired: list[_Hired] = []
        self._exchange: Any = None
        self._are_on_one = are_on_one
        self._watcher: threading.Thread | None = None
        self._scope = scope.describe()  # of the code that is imported here, also if it changes
        self.reason: BaseException | None = None

    def assemble(self) -> Team:
        """Has followers begin on the other machines, and returns the team.

        Raises:
          ConfigError: there are too few machines, or they differ.
          MachineLostError: one is lost already.
        """
        from hts_tf.machines.exchange import RayTeam

        is_first = self._exchange is None
        nodes = self._nodes(wait=not is_first)
        size = self._size(len(nodes), is_first)
        self._hire([nodes[number % len(nodes)] for number in range(size - 1)])
        self._exchange = self._new_exchange(size)
        self._compare()
        text = gin.config_str(max_line_length=10_000)
        modules = operative.bindings(text).get(operative.IMPORTS, ())
        for number, hired in enumerate(self._hired, start=1):
            order = Order(text, modules, self._seed, number, size, compute.intra_op_threads())
            hired.run = hired.actor.run.remote(order, self._exchange)
        watched = [hired.run for hired in self._hired], self._exchange
        self._watcher = threading.Thread(target=self._watch, args=watched, daemon=True)
        self._watcher.start()
        if not is_first:
            terminal.warn(f"going on with {size} machine{'s' * (size > 1)}")
        return RayTeam(self._exchange, 0, size, self._wishes.timeout_sec)

    def _nodes(self, wait: bool) -> list[str]:
        """Returns the nodes for machines; waits for as many as are asked for, if it is to."""
        end = time.monotonic() + self._wishes.replacement_sec
        while True:
            nodes = ray_cluster.of_machines(self._ray)
            enough = self._are_on_one or len(nodes) >= self._wishes.num_machines
            if enough or not wait or time.monotonic() > end:
                return nodes
            time.sleep(_BETWEEN_LOOKS_SEC)

    def _size(self, num_nodes: int, is_first: bool) -> int:
        """Returns how many machines are to make the run."""
        wanted = self._wishes.num_machines
        if self._are_on_one or num_nodes >= wanted:
            return wanted
        if is_first:
            raise errors.ConfigError(
                f"--num_machines={wanted}: the cluster has {num_nodes} "
                f"machine{'s' * (num_nodes > 1)}; start Ray on others, or ask for fewer",
                page="cluster.md#on-a-cluster-that-there-is",
            )
        return num_nodes

    def _hire(self, nodes: Sequence[str]) -> None:
        """Has a follower on each of these nodes: one who is there already, or a new one."""
        there = self._survivors()
        self._hired = []
        for node in nodes:
            known = next((hired for hired in there if hired.node == node), None)
            if known:
                there.remove(known)
            else:
                actor = ray_cluster.hire(self._ray, Follower, node, 0 if self._are_on_one else 1)
                known = _Hired(node, actor)
            self._hired.append(known)
        for hired in there:
            self._ray.kill(hired.actor)

    def _survivors(self) -> list["_Hired"]:
        """Returns the followers who wait for another order, and ends all others."""
        if self._exchange is None:
            return []
        self._exchange.abort.remote("the run begins again")
        idle = [hired for hired in self._hired if not hired.run]
        begun = [hired for hired in self._hired if hired.run]
        ends = self._outcomes([hired.run for hired in begun])
        for hired, end in zip(begun, ends, strict=True):
            if isinstance(getattr(end, "cause", None), MachineLostError):
                idle.append(hired)
        # One of these may have died since.
        answers = self._outcomes([hired.actor.scope.remote() for hired in idle])
        found = [hired for hired, error in zip(idle, answers, strict=True) if error is None]
        for hired in self._hired:
            if hired not in found:
                self._ray.kill(hired.actor)
        self._ray.kill(self._exchange)
        return found

    def _outcomes(self, calls: Sequence[Any]) -> list[Exception | None]:
        """Returns what these calls have raised, or that they have not ended in time."""
        self._ray.wait(calls, num_returns=len(calls), timeout=_GRACE_SEC)
        return [self._outcome(call) for call in calls]

    def _outcome(self, call: Any) -> Exception | None:
        try:
            self._ray.get(call, timeout=0)
        except Exception as error:
            return error
        return None

    def _new_exchange(self, size: int) -> Any:
        from hts_tf.machines.exchange import Exchange

        here = self._ray.get_runtime_context().get_node_id()
        return (
            self._ray.remote(Exchange)
            .options(
                num_cpus=0,
                # All who wait at a few meetings: with fewer, who is to come would not be let in.
                max_concurrency=1000 + 16 * size,
                scheduling_strategy=ray_cluster.place(self._ray, here),
            )
            .remote(size)
        )

    def _compare(self) -> None:
        """Raises: ConfigError: a machine has other software."""
        asked = [hired.actor.scope.remote() for hired in self._hired]
        patience = min(_BEGIN_SEC, self._wishes.timeout_sec)
        began, _ = self._ray.wait(asked, num_returns=len(asked), timeout=patience)
        if len(began) < len(asked):
            terminal.warn(
                f"{len(asked) - len(began)} of {len(asked)} other machines have not begun after "
                f"{patience:g} s: has each of their nodes a processor that Ray has not given to "
                "others?",
                page="cluster.md#what-may-go-wrong",
            )
        try:
            found = self._ray.get(asked, timeout=self._wishes.timeout_sec - patience)
        except self._ray.exceptions.RayError as error:
            raise MachineLostError(
                f"a machine does not begin ({errors.in_a_line(error)})"
            ) from error
        for number, there in enumerate(found, start=1):
            for name, ours, theirs in scope.differences(self._scope, there):
                run_scope.object_to(
                    f"machine {number} has {name} {theirs}, this one {ours}",
                    is_refused=name in scope.OF_SOFTWARE,
                )

    def _watch(self, runs: Sequence[Any], exchange: Any) -> None:
        """Has the others know at once that a machine is lost."""
        numbers = {run: number for number, run in enumerate(runs, start=1)}
        waiting = list(runs)
        while waiting:
            (run,), waiting = self._ray.wait(waiting)
            try:
                self._ray.get(run)
            except self._ray.exceptions.RayTaskError as error:
                if not isinstance(error.cause, MachineLostError):
                    self.reason = self.reason or _named(error, numbers[run])
                why = f"machine {numbers[run]} has failed ({errors.in_a_line(error.cause)})"
            except self._ray.exceptions.RayError as error:
                why = f"machine {numbers[run]} is lost ({type(error).__name__})"
            except Exception:  # Ray is being shut down
                return
            else:
                continue
            exchange.abort.remote(why)
            return

    def close(self) -> None:
        """Ends what is left of the followers."""
        for actor in (*(hired.actor for hired in self._hired), self._exchange):
            if actor is not None:
                self._ray.kill(actor)
        if self._watcher:  # as long as it can still speak to Ray
            self._watcher.join(_GRACE_SEC)


def _named(error: Any, number: int) -> Exception:
    """Returns what a follower has raised, a `RayTaskError`, as the first machine reports it."""
    where = f"machine {number}"
    if isinstance(error.cause, errors.ConfigError | errors.RunError):
        return type(error.cause)(f"{where}: {error.cause}")
    if isinstance(error.cause, OSError) and (what := whole.describe(error.cause)):
        return errors.RunError(f"{where}: {what}")
    return error  # with the traceback of there


@dataclasses.dataclass(eq=False)
class _Hired:
    """A follower.

    Attributes:
      node: that it is on.
      actor: Ray's.
      run: what it was ordered last, if anything.
    """

    node: str
    actor: Any
    run: Any = None
