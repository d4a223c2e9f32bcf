"""Trainings as processes of their own: called from Python, or several, perhaps at once."""

import collections
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hts_tf import errors
from hts_tf.system import start, stop_signals, terminal
from hts_tf.system.child import Child, ChildError

_POLL_SEC = 0.5
_REFUSAL = "error: "  # what a command says last begins so

_Place = TypeVar("_Place")
# Of a task, while it goes on; yields why it ends, once it has been interrupted.
_Steps = Iterator[stop_signals.Interrupted | None]


class Training(NamedTuple):
    """One of them.

    Attributes:
      name: for messages.
      workdir: where what it prints goes, too.
      flags: of `hts_tf.train`, but for these two and the workdir.
      gin_files: see `hts_tf.train`.
      gin_bindings: the same.
    """

    name: str
    workdir: Path
    flags: Sequence[str]
    gin_files: Sequence[str]
    gin_bindings: Sequence[str]

    def steps(
        self, is_over: Callable[[], bool] = lambda: False, begin: Callable[..., Child] = Child
    ) -> _Steps:
        """Trains until the run is over, and yields while it does, for `together`.

        Interrupted, it ends once it has written a checkpoint.

        Args:
          is_over: asked again and again whether it is to end before its last env step.
          begin: a `Child`, or what is like one somewhere else.

        Raises:
          ChildError: the training refused its configuration, or failed.
        """
        self.workdir.mkdir(exist_ok=True, parents=True)
        printed = self.workdir / "log.txt"
        arguments = [  # absolute: it may begin in another directory, on another machine
            *self.flags,
            f"--workdir={self.workdir.resolve()}",
            *(f"--gin_files={Path(path).resolve()}" for path in self.gin_files),
            *(f"--gin_bindings={binding}" for binding in self.gin_bindings),
        ]
        try:
            with begin("hts_tf.train", arguments, log=printed) as training:
                try:
                    while not training.has_ended():
                        yield
                        if is_over():
                            training.ask_to_end()
                except stop_signals.Interrupted as interruption:
                    terminal.tell(f"stopping {self.name} at its next sync point (again: at once)")
                    training.ask_to_end()
                    while not training.has_ended():
                        yield interruption
                    raise
        except ChildError as error:
            raise ChildError(f"{self.name}: {error} (see {printed})", error.code) from None


def together(
    tasks: Iterable[Callable[[_Place], _Steps]], places: Sequence[_Place] = (None,)
) -> None:
    """Takes tasks in their order to their ends, as many at once as there are places.

    Args:
      tasks: called with the place that each is given; return what yields while they go on. If one
        fails, the others end at once; interrupted, all end in their own ways, which may take
        further steps.
      places: for one at a time each.
    """
    waiting = collections.deque(tasks)
    knows = None  # the task that has been interrupted already
    free = list(places)
    busy: list[tuple[_Place, _Steps]] = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [steps.close() for _, steps in busy])
        try:
            while True:
                while waiting and free:
                    place = free.pop(0)
                    busy.append((place, waiting.popleft()(place)))
                for task in list(busy):
                    said = next(task[1], "over")
                    if said == "over":
                        busy.remove(task)
                        free.append(task[0])
                    elif said is not None:
                        knows = task[1]
                        raise said
                if busy:
                    time.sleep(_POLL_SEC)
                elif not waiting:
                    return
        except stop_signals.Interrupted as interruption:
            # All are asked to end before any is waited for.
            ending = [
                steps
                for _, steps in busy
                if steps is knows or _goes_on(interruption, steps.throw, interruption)
            ]
            while ending:
                time.sleep(_POLL_SEC)
                ending = [s for s in ending if _goes_on(interruption, next, s)]
            raise


def _goes_on(interruption: stop_signals.Interrupted, step: Callable[..., None], *of: Any) -> bool:
    """Takes a task that is interrupted on by a step; returns whether it has yet to end."""
    try:
        step(*of)
    except stop_signals.Interrupted as error:
        if error is not interruption:  # another one: at once
            raise
        return False
    except StopIteration:
        return False
    return True


def train(
    scenario: str,
    method: str = "hts_ppo",
    *,
    workdir: str | Path,
    seed: int = 0,
    bindings: Mapping[str, Any] | None = None,
    gin_files: Sequence[str | Path] = (),
    **flags: Any,
) -> Path:
    """Trains as `python -m hts_tf.train` does, with the same checks and to the same bits.

    What it says is printed. Interrupted, it ends at its next sync point; the same call goes on.

    Args:
      scenario: a file of `gin_configs/scenarios`, a scenario of gfootball, an id of Gymnasium
        ("MODULE:ID" for one of yours), or "pettingzoo:MODULE".
      method: a file of `gin_configs/methods`.
      workdir: where the run is kept.
      seed: of everything random in the run.
      bindings: name -> value, such as {"Trainer.num_envs": 16}; texts that begin with @ or % are
        references, as in gin files: {"ActorCritic.core": "@gru"}.
      gin_files: further ones.
      **flags: further ones of the command, such as trace=True.

    Returns:
      The workdir, for `hts_tf.load`.

    Raises:
      ConfigError: something is unknown, misspelt, or cannot be used.
      RunError: the run cannot go on.
      DivergenceError: learning went out of bounds.
    """
    arguments = [
        f"--scenario={scenario}",
        f"--method={method}",
        f"--workdir={workdir}",
        f"--seed={seed}",
        *(f"--gin_files={path}" for path in gin_files),
        *(f"--gin_bindings={_line(*binding)}" for binding in (bindings or {}).items()),
        *(f"--{name}={value}" for name, value in flags.items()),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "hts_tf.train", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # an engine may print anything
        start_new_session=True,  # Ctrl-C is for this process, which passes it on
        env={**os.environ, **start.tied()},
    )
    held = ""  # the last line, if it may be why the training ends
    with process:
        try:
            for line in process.stdout:
                print(held, end="", flush=True)
                held = line if line.startswith(_REFUSAL) else ""
                if not held:
                    print(line, end="", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            try:
                for line in process.stdout:
                    print(line, end="", flush=True)
            except KeyboardInterrupt:  # once more: at once
                process.kill()
            raise
        except BaseException:  # such as that nobody reads what is printed
            process.terminate()
            raise
    if process.returncode:
        kinds = {kind.code: kind for kind in (errors.ConfigError, errors.DivergenceError)}
        kind = kinds.get(process.returncode, errors.RunError)
        why = held.removeprefix(_REFUSAL).strip()
        raise kind(why or f"the training ended with exit code {process.returncode}")
    print(held, end="", flush=True)
    return Path(workdir)


def _line(name: str, value: Any) -> str:
    return f"{name} = {_written(value)}"


def _written(value: Any) -> str:
    """Returns a value as gin files have it."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and value.startswith(("@", "%")):
        return value
    if isinstance(value, (list, tuple)):
        parts = "".join(f"{_written(part)}, " for part in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_written(part)}' for key, part in value.items())}}}"
    return repr(value.item() if isinstance(value, np.generic) else value)
