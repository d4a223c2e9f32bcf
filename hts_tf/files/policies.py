"""Policies by name: WORKDIR is that of a run's newest checkpoint.

WORKDIR@UPDATES is a snapshot, or else another one that is still there, and WORKDIR@best the best of
those that were evaluated while the run trained. Where there is no such run, WORKDIR may be the
name of a model.
"""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors
from hts_tf.files import checkpoint, models
from hts_tf.files.evaluations import Evaluations
from hts_tf.files.workdir import Workdir
from hts_tf.networks import parameters
from hts_tf.networks.agent import Agent

_NAME = re.compile(r"(?P<workdir>.+?)(?:@(?P<which>\d+|best))?", re.DOTALL)


def workdir(name: str) -> Workdir:
    """Returns the workdir that a policy's name says. Raises: ConfigError: it says none."""
    return _parts(name)[0]


class Parameters(NamedTuple):
    """A policy's, as files have them.

    Attributes:
      updates: that have made them.
      env_steps: of the run, when it had them; None if that is not known, of snapshots.
      arrays: by name, see `parameters.assign`.
      source: where they are from, for messages.
    """

    updates: int
    env_steps: int | None
    arrays: dict[str, np.ndarray]
    source: str

    def check(self, agent: Agent) -> None:
        """Raises: ConfigError: they are of other spaces or another network than an agent's."""
        parameters.check(agent, self.arrays, self.source)
        for _ in parameters.matched(agent.variables, self.arrays, self.source):
            pass

    def give(self, agent: Agent) -> None:
        """Gives them to an agent. Raises: ConfigError: see `check`."""
        parameters.check(agent, self.arrays, self.source)
        parameters.assign(agent.variables, self.arrays, self.source)


def read(name: str) -> Parameters:
    """Reads a policy's parameters.

    Args:
      name: WORKDIR, WORKDIR@UPDATES, or WORKDIR@best.

    Raises:
      ConfigError: there is no such policy, or it is damaged.
    """
    run, which = _parts(name)
    run.configuration()  # complains of a directory that holds no run
    if which is None:
        state = run.newest()
        if state is None:
            raise errors.ConfigError(f"{name} holds no checkpoint yet")
    elif which == "best":
        state = Evaluations(run.path).best_state()
        if state is None:
            numbers = Snapshots(run.path).numbers()
            there = f"; {run.path}@{max(numbers)} is a snapshot" if numbers else ""
            raise errors.ConfigError(
                f"{name}: no policy of this run has been evaluated yet; "
                f"Trainer.evaluate_every_updates has that done, where nobody plays itself{there}",
                page="watching.md#how-good-is-it-while-it-trains",
            )
    elif Snapshots(run.path).has(int(which)):
        return Snapshots(run.path).read(int(which))
    else:
        state = _of_updates(int(which), run, name)
    told = (parameters.SPACES, parameters.NETWORK)
    own = {k: v for k, v in state.items() if k.startswith("variable/") or k in told}
    env_steps = state.get("run/env_steps")
    return Parameters(
        int(state["run/updates"]), None if env_steps is None else int(env_steps), own, name
    )


def _of_updates(updates: int, run: Workdir, name: str) -> dict[str, np.ndarray]:
    """Returns the checkpoint with so many updates. Raises: ConfigError: there is none."""
    best = Evaluations(run.path).best_state()
    known = {*Snapshots(run.path).numbers()}
    for state in itertools.chain(run.checkpoints(), [best] if best else []):
        if int(state["run/updates"]) == updates:
            return state
        known.add(int(state["run/updates"]))
    others = (
        f"but those of updates {', '.join(map(str, sorted(known)))}" if known else "and no other"
    )
    raise errors.ConfigError(f"{name}: there is no such policy, {others}")


def load(name: str, agent: Agent) -> None:
    """Gives an agent the parameters of a policy, see `read`.

    Raises:
      ConfigError: there is no such policy, it is damaged, or of another network or other spaces.
    """
    read(name).give(agent)


def _parts(name: str) -> tuple[Workdir, str | None]:
    if _is_run(name):  # whatever its name looks like
        return Workdir(Path(name)), None
    found = _NAME.fullmatch(name)
    if found is None:
        raise errors.ConfigError("a policy is named WORKDIR, WORKDIR@UPDATES or WORKDIR@best")
    workdir, which = found["workdir"], found["which"]
    # Results of models may be in a directory of a model's name.
    is_model = not _is_run(workdir) and workdir in models.names()
    return Workdir(models.find(workdir) if is_model else Path(workdir)), which


def _is_run(name: str) -> bool:
    return Workdir(Path(name)).config.exists()


class Snapshots:
    """An agent's parameters, frozen, in files of a workdir that are named by numbers."""

    def __init__(self, workdir: Path, kind: str = "") -> None:
        """Touches nothing yet.

        Args:
          workdir: of the run.
          kind: "" for its own, numbered by the updates that made them; else a folder of its own.
        """
        self._directory = Workdir(workdir).snapshots(kind)

    def has(self, number: int) -> bool:
        """Returns whether there is one of that number."""
        return self.path(number).exists()

    def path(self, number: int) -> Path:
        """Returns the file of that number."""
        return checkpoint.path_of(self._directory, number)

    def paths(self) -> list[Path]:
        """Returns the files."""
        return checkpoint.paths(self._directory)

    def numbers(self) -> list[int]:
        """Returns those that there are."""
        return [int(path.stem) for path in self.paths()]

    def clear(self) -> None:
        """Removes all."""
        for path in self.paths():
            path.unlink()

    def save(self, number: int, agent: Agent) -> None:
        """Writes one; a run that is resumed writes some again, to the same bytes.

        Raises:
          OSError: it cannot be written; names it.
        """
        checkpoint.save(self._directory, number, parameters.frozen(agent))

    def keep(self, found: Parameters) -> None:
        """Writes what is another run's, under the number of its updates.

        Raises:
          OSError: it cannot be written; names it.
        """
        checkpoint.save(self._directory, found.updates, found.arrays)

    def load(self, number: int, agent: Agent) -> None:
        """Gives an agent its parameters.

        Raises:
          ConfigError: it is missing, damaged, or of another network or other spaces.
        """
        self.read(number).give(agent)

    def read(self, number: int) -> Parameters:
        """Returns its parameters. Raises: ConfigError: it is missing or damaged."""
        path = self.path(number)
        try:
            return Parameters(number, None, checkpoint.load(path), f"snapshot {path}")
        except (OSError, ValueError) as error:
            raise errors.ConfigError(
                f"snapshot {path} cannot be read: {error}; restore it from a copy"
            ) from error
