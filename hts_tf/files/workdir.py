"""The workdir: the directory in which a run keeps its configuration and checkpoints."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hts_tf import differences, errors
from hts_tf.files import archive, checkpoint, scope
from hts_tf.system import terminal, whole

LOCK = "lock"  # the file that a run locks, which is empty
TO_EVALUATE = "to_evaluate"  # among the checkpoints: policies that wait
# In a checkpoint: whether the run has come to its end by itself, or as an observer asked for that.
COMPLETE, BY_OBSERVER = "run/complete", "run/stopped_by_observer"
_ANOTHER = "; give that, or another --workdir"


class Workdir:
    """What is kept of one run.

    Attributes:
      path: the directory.
      config: the file that remembers how the run was configured.
      archive: the file of finished episodes.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.gin"
        self._checkpoints = self.path / "checkpoints"
        self.archive = self.path / archive.FILE_NAME
        self._lock_fd: int | None = None
        self._is_new = False

    def snapshots(self, kind: str) -> Path:
        """Returns where frozen parameters lie: "" for its own, else "start" or "frozen"."""
        return self.path / "snapshots" / kind

    def claim(self, configuration: str) -> bool:
        """Takes the directory for a run, if it is new or was this run's before; see `configure`.

        Args:
          configuration: operative, see `operative.text`.

        Returns:
          Whether there was none.

        Raises:
          ConfigError: the directory cannot be written, or holds a run whose results would differ,
            or is in use.
          OSError: the disk is full.
        """
        with whole.refusing("--workdir"):
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            if self.config.exists():
                different = differences.between(self.configuration(), configuration)
                if different:
                    raise errors.ConfigError(
                        f"--workdir={self.path} holds a run of another configuration: "
                        + "; ".join(different)
                        + (self._how_to_go_on() if _is_longer(different) else _ANOTHER),
                        page="faq.md#can-i-change-a-setting-and-go-on",
                    )
            self._is_new = not self.config.exists()
            if self._is_new and checkpoint.paths(self._checkpoints):
                raise errors.ConfigError(
                    f"--workdir={self.path} has checkpoints of a run whose config.gin is gone: "
                    "bring that back, or give another --workdir"
                )
        return self._is_new

    def configure(self, configuration: str) -> None:
        """Writes the configuration of the run that has claimed the directory: it is there for good.

        Raises:
          ConfigError: it cannot be written.
          OSError: the disk is full.
        """
        with whole.refusing("--workdir"):
            whole.write(self.config, configuration.encode())

    def disclaim(self) -> None:
        """Forgets the configuration of a run that cannot begin.

        Whoever mends it may use the directory then; a run that was there before stays.
        """
        if self._is_new:
            self.config.unlink(missing_ok=True)

    def _how_to_go_on(self) -> str:
        return (
            " (a run's learning rate decays over its env steps; to train on from this policy, with "
            "a decay of its own, take another --workdir and add "
            f"--gin_bindings=\"Trainer.start_from = '{self.path}'\")"
        )

    def close(self) -> None:
        """Lets others claim it; may be called twice."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _lock(self) -> None:
        """Locks the directory until it is closed, or this process ends.

        By a file that stays there, opened for writing: NFS locks such a one for all machines, but a
        directory for one alone.

        Raises:
          ConfigError: another process trains in it.
        """
        self._lock_fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.ConfigError(
                f"--workdir={self.path} is in use by another training run"
            ) from None
        except OSError as error:
            raise errors.ConfigError(
                f"--workdir={self.path} cannot be locked against another run ({error.strerror}): "
                "its file system has no locks (Lustre's needs the option flock); name another"
            ) from None

    def configuration(self) -> str:
        """Returns the configuration of the run that is kept here.

        Raises:
          ConfigError: there is none, or it cannot be read.
        """
        if not self.config.is_file():
            raise errors.ConfigError(f"{self.path} holds no run: there is no {self.config}")
        try:
            return self.config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise errors.ConfigError(f"{self.config} cannot be read: {error}") from error

    def open_archive(self, size: int) -> archive.Archive:
        """Opens the episode archive of a claimed workdir; see `archive.Archive`.

        Args:
          size: what the checkpoint remembers of it, in bytes.

        Raises:
          ConfigError: the file cannot be written.
        """
        with whole.refusing("the episode archive"):
            file = archive.Archive(self.archive, size)
        if file.size < size:
            terminal.warn(
                f"{self.archive} has lost {size - file.size:,} bytes since the "
                "checkpoint was written; their episodes cannot be replayed"
            )
        return file

    def save(self, number: int, arrays: Mapping[str, np.ndarray], keep: int) -> Path:
        """Writes a checkpoint, and returns its file; see `checkpoint.save`."""
        return checkpoint.save(self._checkpoints, number, arrays, keep)

    def newest(self) -> dict[str, np.ndarray] | None:
        """Returns the newest checkpoint that is whole, or None if there are none at all.

        Raises:
          ConfigError: there are checkpoints, but all are damaged.
        """
        state = next(self.checkpoints(), None)
        if state is None and checkpoint.paths(self._checkpoints):
            raise errors.ConfigError(
                f"every checkpoint in {self._checkpoints} is damaged; "
                "start again with another --workdir"
            )
        return state

    def checkpoints(self) -> Iterator[dict[str, np.ndarray]]:
        """Returns the checkpoints that are whole, newest first; see `checkpoint.each`."""
        return checkpoint.each(self._checkpoints)

    def ending(self) -> str | None:
        """Returns how the run has ended, so that nothing is left to train or evaluate.

        `COMPLETE` or `BY_OBSERVER`, which can be gone on with; but whoever makes several runs does
        not, as where it ended is part of its result. "" if it has not; None if no checkpoint tells.
        """
        state = self._newest_or_nothing()
        if state.get(BY_OBSERVER, False):
            return BY_OBSERVER
        if checkpoint.paths(self._checkpoints / TO_EVALUATE):
            return ""
        if COMPLETE not in state:
            return None
        return COMPLETE if state[COMPLETE] else ""

    def scopes(self) -> list[dict[str, str]]:
        """Returns the scopes that the run was made in, see `scope.of_run`; [] if no file tells."""
        return scope.of_run(self._newest_or_nothing())

    def _newest_or_nothing(self) -> dict[str, np.ndarray]:
        try:
            return self.newest() or {}
        except errors.ConfigError:  # all damaged
            return {}


def _is_longer(different: Sequence[str]) -> bool:
    """Returns whether nothing is different but how many env steps a run has."""
    return len(different) == 1 and different[0].startswith("Trainer.total_env_steps = ")
