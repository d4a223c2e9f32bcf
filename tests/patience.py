"""Trainings that wait for the test that disturbs them, so that none ends before it has."""

import time

import gin

from hts_tf.observers.observer import Observer
from tests.sameness import rows_of

FLAGS = [
    "--gin_bindings=import tests.patience",
    "--gin_bindings=Trainer.observers = (@Patient(),)",
]
_FILE = "patience.txt"


def allow(workdir, updates=1_000_000):
    """Lets a training make updates until there are so many rows in its table of fingerprints."""
    workdir.mkdir(parents=True, exist_ok=True)
    new = workdir / f"{_FILE}.new"
    new.write_text(str(updates))
    new.replace(workdir / _FILE)


@gin.configurable
class Patient(Observer):
    """Has a training wait between updates, until it may make another."""

    def begin(self, run):
        self._workdir = run.workdir

    def after_update(self, env_steps, figures):
        allowed = self._workdir / _FILE
        while rows_of(self._workdir) >= int(allowed.read_text()):
            time.sleep(0.002)
