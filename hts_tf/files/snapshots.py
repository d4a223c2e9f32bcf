"""Snapshots: an agent's parameters, frozen, in files named by the update that made them."""

from pathlib import Path

from hts_tf import errors, learner
from hts_tf.files import checkpoint
from hts_tf.networks.agent import Agent

_ALL = 10**9  # checkpoints that stay


class Snapshots:
    """Those of one run."""

    def __init__(self, directory: Path) -> None:
        """Touches nothing yet."""
        self._directory = directory

    def save(self, updates: int, agent: Agent) -> None:
        """Writes one; a run that is resumed writes some again, to the same bytes.

        Raises:
          OSError: it cannot be written; names it.
        """
        arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(agent.variables)}
        checkpoint.save(self._directory, updates, arrays, _ALL)

    def load(self, updates: int, agent: Agent) -> None:
        """Gives an agent its parameters.

        Raises:
          ConfigError: it is missing, damaged, or of another network.
        """
        path = self._directory / f"{updates:09d}.ckpt"
        try:
            arrays = checkpoint.load(path)
        except (OSError, ValueError) as error:
            raise errors.ConfigError(f"snapshot {path} cannot be read: {error}") from error
        try:
            learner.assign(agent.variables, arrays)
        except errors.ConfigError as error:
            raise errors.ConfigError(f"snapshot {path}: {error}") from None
