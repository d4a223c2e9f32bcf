"""An observer that writes down all that it is told, and meddles with what it can reach."""

import json
import random

import gin
import numpy as np
import tensorflow as tf

from hts_tf.observers.observer import Observer


@gin.configurable
class Witness(Observer):
    """Writes `witness.jsonl` into the workdir: [method, env steps, what].

    Args:
      stops_after: env steps after which it asks to stop.
      fails_in: a method that raises.
    """

    def __init__(self, stops_after=None, fails_in=None):
        self._stops_after = stops_after
        self._fails_in = fails_in

    def begin(self, run):
        self._file = (run.workdir / "witness.jsonl").open("a")
        bound = run.configuration["Trainer.num_envs"]
        self._write("begin", run.env_steps, [run.total_env_steps, bound, "numpy" in run.scope])

    def after_update(self, env_steps, figures):
        random.seed(0)
        np.random.seed(0)
        tf.random.set_seed(0)
        self._write("after_update", env_steps, dict(figures))
        figures.clear()
        return self._stops_after is not None and env_steps >= self._stops_after

    def after_episode(self, env_steps, episode):
        self._write("after_episode", env_steps, episode)

    def before_checkpoint(self):
        self._write("before_checkpoint", None, None)

    def after_checkpoint(self, env_steps, path):
        self._write("after_checkpoint", env_steps, path.is_file())

    def after_evaluation(self, env_steps, figures):
        self._write("after_evaluation", env_steps, dict(figures))

    def end(self):
        self._write("end", None, self.ended)
        self._file.close()

    def _write(self, method, env_steps, what):
        if method == self._fails_in:
            raise RuntimeError(f"nothing to say\nof {method}")
        self._file.write(json.dumps([method, env_steps, what]) + "\n")
        self._file.flush()


@gin.configurable
class FailsAfterUpdate(Witness):
    def __init__(self):
        super().__init__(fails_in="after_update")


@gin.configurable
class FailsAfterEpisode(Witness):
    def __init__(self):
        super().__init__(fails_in="after_episode")


@gin.configurable
class FailsBeforeCheckpoint(Witness):
    def __init__(self):
        super().__init__(fails_in="before_checkpoint")


@gin.configurable
class FailsAfterCheckpoint(Witness):
    def __init__(self):
        super().__init__(fails_in="after_checkpoint")


@gin.configurable
class FailsAtTheEnd(Witness):
    def __init__(self):
        super().__init__(fails_in="end")
