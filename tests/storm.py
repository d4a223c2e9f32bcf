"""A storm over a training: executors stopped, killed and hung, the trainer killed, files damaged,
the disk full.  Not part of the suite; its results are to be those of a calm run:

    python -m tests.storm --workdir=DIRECTORY --minutes=60 --seed=0 -- FLAGS OF hts_tf.train

DIRECTORY has to be a file system of its own that is small and may be filled, such as one of
`mount -t tmpfs -o size=300m tmpfs DIRECTORY`.  After so many minutes the training goes on in calm,
to its end.  What was done, and how the training answered, is printed and counted; a training that
ends otherwise than it should, a process that outlives it, or a traceback, ends the storm.
Compare with a calm run by `python -m hts_tf.compare_runs`.
"""

import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from absl import app, flags

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files import checkpoint
from tests import command_line, processes, waiting

_WORKDIR = flags.DEFINE_string("workdir", None, "a small file system of its own", required=True)
_MINUTES = flags.DEFINE_float("minutes", 60.0, "of the storm")
_SEED = flags.DEFINE_integer("seed", 0, "of the storm")
_BETWEEN_SEC = 8.0  # mean time between two blows
_HUNG_SEC = 15.0  # Trainer.step_timeout_sec


class Storm:
    """One training, and what befalls it."""

    def __init__(self, directory, arguments, seed):
        self.counts = collections.Counter()
        self._directory = directory
        self._run = directory / "run"
        self._ballast = directory / "ballast"
        self._log = directory.parent / f"{directory.name}.log"
        self._arguments = [
            f"--workdir={self._run}",
            "--gin_bindings=Trainer.checkpoint_every_updates = 4",
            f"--gin_bindings=Trainer.step_timeout_sec = {_HUNG_SEC}",
            "--gin_bindings=Trainer.crash_limit = 1000",
            *arguments,
        ]
        self._random = random.Random(seed)
        self._training = None
        self._executors = []

    def rage(self, seconds):
        """Lets it blow for so long, or until the training has come to its end."""
        end = time.monotonic() + seconds
        blows = [
            *[self.stop_an_executor, self.kill_an_executor] * 4,
            *[self.hang_an_executor, self.kill_the_trainer, self.ask_the_trainer_to_stop] * 2,
            self.fill_the_disk,
        ]
        while time.monotonic() < end:
            if self._training is None:
                self.damage()
                self.start()
            time.sleep(self._random.expovariate(1 / _BETWEEN_SEC))
            if self._training.poll() is not None:
                self.ended({0})
                return
            self._executors = executors_of(self._training.pid) or self._executors
            self._random.choice(blows)()

    def start(self):
        environment = {**os.environ, "PYTHONPATH": str(command_line.ROOT)}
        with self._log.open("ab") as log:
            log.write(b"--- start\n")
            self._training = subprocess.Popen(
                [sys.executable, "-m", "hts_tf.train", *self._arguments],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._count("started")

    def calm_down(self):
        """Trains to the end."""
        if self._training is None:
            self.start()
        self._training.wait()
        self.ended({0})

    # ---- Blows ----------------------------------------------------------------------------------

    def stop_an_executor(self):
        self._blow("executor stopped for a while", signal.SIGSTOP)
        time.sleep(self._random.uniform(0.5, 6.0))
        for pid in self._executors:
            self._signal(pid, signal.SIGCONT)

    def hang_an_executor(self):
        self._blow("executor hung", signal.SIGSTOP)

    def kill_an_executor(self):
        self._blow("executor killed", self._random.choice([signal.SIGKILL, signal.SIGSEGV]))

    def kill_the_trainer(self):
        self._count("trainer killed")
        self._training.kill()
        self.ended({-signal.SIGKILL})

    def ask_the_trainer_to_stop(self):
        number = self._random.choice([signal.SIGTERM, signal.SIGINT])
        self._count(f"trainer asked to stop, {number.name}")
        self._training.send_signal(number)
        self.ended({128 + number, 0})

    def fill_the_disk(self):
        """Until the training has ended for it; then there is room again."""
        self._count("disk filled")
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
        self._training.wait()
        self.ended({1, 0})
        self._ballast.unlink()

    def damage(self):
        """Damages files of a training that does not run, so that it can go on all the same."""
        checkpoints = checkpoint.paths(self._run / "checkpoints")
        if len(checkpoints) > 1 and self._random.random() < 0.3:
            self._count("newest checkpoint cut off")
            os.truncate(checkpoints[0], self._random.randrange(checkpoints[0].stat().st_size))
        for name in ("fingerprints.csv", "fingerprints.cells", "episodes.bin"):
            path = self._run / name
            if path.exists() and self._random.random() < 0.2:
                self._count(f"rubbish after {name}")
                with path.open("ab") as file:
                    file.write(self._random.randbytes(self._random.randrange(1, 5000)))

    # ---- What comes of them ---------------------------------------------------------------------

    def ended(self, codes):
        """Takes note of an end; it has to be one of these, and leave nothing behind."""
        code = self._training.wait()
        self._count(f"exit code {code}")
        waiting.until(lambda: not any(map(processes.in_session, self._executors)))
        log = self._log.read_text(errors="replace").rpartition("--- start\n")[2]
        assert code in codes, f"exit code {code}, not one of {codes}:\n{log[-3000:]}"
        assert "Traceback" not in log, log[-5000:]
        self._training = None
        self._executors = []

    def _blow(self, what, number):
        if self._executors:
            self._count(what)
            self._signal(self._random.choice(self._executors), number)

    def _signal(self, pid, number):
        with contextlib.suppress(ProcessLookupError):  # it has been replaced meanwhile
            os.kill(pid, number)

    def _count(self, what):
        self.counts[what] += 1
        print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def main(argv):
    directory = Path(_WORKDIR.value)
    assert shutil.disk_usage(directory).total < 1 << 30, "it would take long to fill"
    storm = Storm(directory, argv[1:], _SEED.value)
    storm.rage(60 * _MINUTES.value)
    print("calm")
    storm.calm_down()
    for what, count in storm.counts.most_common():
        print(f"{count:6,}  {what}")


if __name__ == "__main__":
    app.run(main)
