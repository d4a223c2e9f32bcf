"""Policies of runs, by name: WORKDIR is its newest checkpoint's, WORKDIR@UPDATES a snapshot."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors, learner
from hts_tf.files import checkpoint
from hts_tf.files.workdir import Workdir
from hts_tf.networks.agent import Agent

_NAME = re.compile(r"(?P<workdir>.+?)(?:@(?P<updates>\d+))?", re.DOTALL)
SNAPSHOTS = "snapshots"
_ALL = 10**9  # checkpoints that stay


def workdir(name: str) -> Workdir:
    """Returns the workdir that a policy's name says. Raises: ConfigError: it says none."""
    return _parts(name)[0]


class Parameters(NamedTuple):
    """A policy's, as files have them.

    Attributes:
      updates: that have made them.
      arrays: by name, see `learner.assign`.
      source: where they are from, for messages.
    """

    updates: int
    arrays: dict[str, np.ndarray]
    source: str

    def give(self, agent: Agent) -> None:
        """Gives them to an agent. Raises: ConfigError: it is of other spaces or network."""
        found, own = self.arrays.get(learner.SPACES), learner.spaces(agent)
        if found is not None and found != own:  # those of older versions do not say
            raise errors.ConfigError(
                f"{self.source} observes or acts otherwise: {found}, not {own}"
            )
        learner.assign(agent.variables, self.arrays, self.source)


def read(name: str) -> Parameters:
    """Reads a policy's parameters.

    Args:
      name: WORKDIR, or WORKDIR@UPDATES.

    Raises:
      ConfigError: there is no such policy, or it is damaged.
    """
    run, updates = _parts(name)
    run.configuration()  # complains of a directory that holds no run
    if updates is not None:
        return Snapshots(run.path).read(updates)
    state = run.newest()
    if state is None:
        raise errors.ConfigError(f"{name} holds no checkpoint yet")
    own = {k: v for k, v in state.items() if k.startswith("variable/") or k == learner.SPACES}
    return Parameters(int(state["run/updates"]), own, name)


def load(name: str, agent: Agent) -> int:
    """Gives an agent the parameters of a policy, see `read`, and returns how many updates it had.

    Raises:
      ConfigError: there is no such policy, it is damaged, or of another network or other spaces.
    """
    found = read(name)
    found.give(agent)
    return found.updates


def _parts(name: str) -> tuple[Workdir, int | None]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise errors.ConfigError("a policy is named WORKDIR or WORKDIR@UPDATES")
    return Workdir(found["workdir"]), int(found["updates"]) if found["updates"] else None


class Snapshots:
    """An agent's parameters, frozen, in files of a workdir that are named by numbers."""

    def __init__(self, workdir: Path, kind: str = "") -> None:
        """Touches nothing yet.

        Args:
          workdir: of the run.
          kind: "" for its own, numbered by the updates that made them; else a folder of its own.
        """
        self._directory = workdir / SNAPSHOTS / kind

    def has(self, number: int) -> bool:
        """Returns whether there is one of that number."""
        return self._path(number).exists()

    def save(self, number: int, agent: Agent) -> None:
        """Writes one; a run that is resumed writes some again, to the same bytes.

        Raises:
          OSError: it cannot be written; names it.
        """
        arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(agent.variables)}
        arrays[learner.SPACES] = learner.spaces(agent)
        checkpoint.save(self._directory, number, arrays, _ALL)

    def load(self, number: int, agent: Agent) -> None:
        """Gives an agent its parameters.

        Raises:
          ConfigError: it is missing, damaged, or of another network or other spaces.
        """
        self.read(number).give(agent)

    def read(self, number: int) -> Parameters:
        """Returns its parameters. Raises: ConfigError: it is missing or damaged."""
        path = self._path(number)
        try:
            return Parameters(number, checkpoint.load(path), f"snapshot {path}")
        except (OSError, ValueError) as error:
            raise errors.ConfigError(f"snapshot {path} cannot be read: {error}") from error

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:09d}.ckpt"
