"""The same work on many things, in processes of their own that end with this one."""

import contextlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from hts_tf import errors
from hts_tf.system import processes, start

_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")


def each(
    begin: Callable[[], Callable[[_Thing], _Result]], things: Sequence[_Thing], processes: int
) -> Iterator[_Result]:
    """Yields what comes of each, in their order; processes take the next as they are free.

    They are fresh ones, which import what they need: nothing of this one is in them but `begin`,
    and what environment variables say. To be called by the main thread.

    Args:
      begin: called once in each process; returns what is then called with things. Pickled.
      things: pickled, as results are.
      processes: at most so many.

    Raises:
      ConfigError: as the work raised it.
      RunError: the same, or a process has died.
    """
    context = multiprocessing.get_context("spawn")
    rest = iter(enumerate(things))
    ready: dict[int, _Result] = {}
    workers = {}
    try:
        for number, thing in itertools.islice(rest, processes):
            ours, theirs = context.Pipe()
            # With little to be given, which fits into the pipe that it is given by: should it die
            # before it has read that, nobody would be told.
            worker = context.Process(target=_work, args=(theirs, os.getpid()), daemon=True)
            with _deaf_to_ctrl_c():  # we end them ourselves, also while they start
                worker.start()
            theirs.close()  # else its end would not be seen
            workers[ours] = worker
            _send(ours, worker, begin)
            _send(ours, worker, (number, thing))
        for number in range(len(things)):
            while number not in ready:
                for ours in wait(workers):
                    done, result = _received(ours, workers[ours])
                    ready[done] = result
                    following = next(rest, None)
                    if following is not None:
                        _send(ours, workers[ours], following)
            yield ready.pop(number)
    finally:
        for ours, worker in workers.items():
            worker.kill()
            worker.join()
            ours.close()


def _send(connection: Connection, worker: multiprocessing.Process, what: Any) -> None:
    with _noticing_death(worker):
        connection.send(what)


def _received(connection: Connection, worker: multiprocessing.Process) -> tuple[int, _Result]:
    with _noticing_death(worker):
        number, result, error = connection.recv()
    if error is not None:
        raise error
    return number, result


@contextlib.contextmanager
def _noticing_death(worker: multiprocessing.Process) -> Iterator[None]:
    """Raises: RunError: the other end of the pipe is gone."""
    try:
        yield
    except (EOFError, ConnectionError):
        worker.join()
        ended = processes.how_it_ended(worker.exitcode)
        raise errors.RunError(f"a process of this command {ended}") from None


def _work(connection: Connection, parent: int) -> None:
    start.end_with_parent(parent)
    do = None
    with contextlib.suppress(EOFError):  # nobody asks any more
        begin: Callable[[], Callable[[_Thing], _Result]] = connection.recv()
        while True:
            number, thing = connection.recv()
            try:
                do = do or begin()
                answer = number, do(thing), None
            except (errors.ConfigError, errors.RunError) as error:
                answer = number, None, error
            connection.send(answer)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Within its block, processes are started that SIGINT passes by; this one hears it after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which they inherit
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
