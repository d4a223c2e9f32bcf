"""Runs the project's commands as a user does: in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import hts_tf.system.start
from tests import forked

ROOT = Path(__file__).parent.parent

# The whole of `nature_cnn` takes seconds to begin with.
SMALL_CNN = [
    "nature_cnn.convolutions = ((8, 8, 4), (16, 4, 2), (16, 3, 1))",
    "nature_cnn.dense = 32",
]
SMALL_CNN_FLAGS = [f"--gin_bindings={binding}" for binding in SMALL_CNN]

# How many there are changes no results; each costs a start, of football a second.
ONE_EXECUTOR = "--gin_bindings=Trainer.num_executors = 1"

# A run of two updates.
SMALL = [
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 128",
    "--gin_bindings=PPO.epochs = 1",
    ONE_EXECUTOR,
]

# A football run of eight updates.
SMALL_FOOTBALL = [
    "--scenario=academy_empty_goal_close",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
    "--gin_bindings=Trainer.total_env_steps = 512",
    ONE_EXECUTOR,
    "--gin_bindings=PPO.epochs = 2",
    *SMALL_CNN_FLAGS,
]

# Teams of players on floats.
FOOTBALL_PLAYERS = [
    "--method=hts_ppo_fast",
    f"--gin_files={ROOT / 'gin_configs/football_players.gin'}",
]

# Started as forks: what loads TensorFlow. (All else begins in the ordinary way, as does what these
# and the tests of launchers start themselves.)
_LOADS_TENSORFLOW = (
    *("hts_tf.train", "hts_tf.evaluate", "hts_tf.tournament", "hts_tf.export", "hts_tf.publish"),
    *("hts_tf.benchmarks.formats", "hts_tf.benchmarks.pipeline", "hts_tf.benchmarks.scaling"),
    *("hts_tf.benchmarks.systems", "hts_tf.dashboard.judged", "tests.program"),
)


def replaced(flags, others):
    """Returns flags, of which others take the place if they are lists, which are given once."""
    lists = {flag.partition("=")[0] for flag in others} & {"--scenarios", "--seeds"}
    return [*(flag for flag in flags if flag.partition("=")[0] not in lists), *others]


def start(module, *arguments, pythonpath=()):
    """Starts `python -m module arguments`; the caller must wait for it or use `with`."""
    arguments = [*map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *map(str, pythonpath)])}
    if module in _LOADS_TENSORFLOW:
        return forked.Forked(module, arguments, environment)
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **hts_tf.system.start.tied()},
        start_new_session=True,
    )


def finish(process):
    """Waits for a command; returns (exit code, standard output, standard error)."""
    output, errors = process.communicate()
    return process.returncode, output, errors


def run(module, *arguments, pythonpath=()):
    """Runs a command to its end; returns (exit code, standard output, standard error)."""
    return finish(start(module, *arguments, pythonpath=pythonpath))


def parameters_hash(output):
    """Returns the hash that a finished training run prints last."""
    return output.rsplit("parameters ", 1)[1].strip()
