"""Training from Python: as the command does, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hts_tf import errors
from hts_tf.system import processes, start, terminal


def train(
    scenario: str,
    method: str = "hts_ppo",
    *,
    workdir: str | Path,
    seed: int = 0,
    bindings: Mapping[str, Any] | None = None,
    gin_files: str | Path | Sequence[str | Path] = (),
    modules: str | Sequence[str] = (),
    **flags: Any,
) -> Path:
    """Trains as `python -m hts_tf.train` does, with the same checks and to the same bits.

    What it says is printed. Interrupted, or when this process is gone, it ends at its next sync
    point; the same call goes on, once it has.

    Args:
      scenario: a file of `gin_configs/scenarios`, a scenario of gfootball, an id of Gymnasium
        ("MODULE:ID" for one of yours), or "pettingzoo:MODULE".
      method: a file of `gin_configs/methods`.
      workdir: where the run is kept.
      seed: of everything random in the run.
      bindings: name -> value, such as {"Trainer.num_envs": 16}; texts that begin with @ or % are
        references, as in gin files: {"ActorCritic.core": "@gru"}.
      gin_files: further ones, or one.
      modules: of your own, or one, that are imported first, for what is bound of them.
      **flags: further ones of the command, such as trace=True.

    Returns:
      The workdir, for `hts_tf.load`.

    Raises:
      ConfigError: something is unknown, misspelt, or cannot be used.
      RunError: the run cannot go on.
      DivergenceError: learning went out of bounds.
    """
    # As shells do; pathlib would also make the current directory of an empty name.
    paths = [gin_files] if isinstance(gin_files, str | Path) else gin_files
    modules = [modules] if isinstance(modules, str) else modules
    workdir, *gin_files = map(os.path.expanduser, (workdir, *paths))
    arguments = [
        f"--scenario={scenario}",
        f"--method={method}",
        f"--workdir={workdir}",
        f"--seed={seed}",
        *(f"--gin_bindings=import {module}" for module in modules),
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
        # When this process is gone, the training ends as it would by itself, with a checkpoint.
        env={**os.environ, **start.tied(signal.SIGTERM)},
    )
    held = _relayed(process)
    if process.returncode:
        kinds = {kind.code: kind for kind in (errors.ConfigError, errors.DivergenceError)}
        kind = kinds.get(process.returncode, errors.RunError)
        why = held.removeprefix(terminal.FAILED).strip()
        raise kind(why or f"the training {processes.how_it_ended(process.returncode)}")
    print(held, end="", flush=True)
    return Path(workdir)


def _relayed(process: subprocess.Popen) -> str:
    """Prints what a training says, until it ends.

    Returns:
      Its last line, which is not printed, if that may be why it has ended; else nothing.
    """
    held = ""
    with process:
        try:
            for line in process.stdout:
                print(held, end="", flush=True)
                held = line if line.startswith(terminal.FAILED) else ""
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
    return held


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
