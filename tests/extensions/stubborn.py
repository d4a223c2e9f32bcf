"""An environment that can be trained on, but not evaluated; and that has much to say."""

import dataclasses
import subprocess
import time

import gin

from hts_tf import seeding
from hts_tf.environments import synthetic
from hts_tf.observers.observer import Observer

print("3 cheers for whoever reads this")


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Stubborn(synthetic.Synthetic):
    """`Synthetic` that fails, or hangs, in the episodes of evaluations.

    Attributes:
      fails: whether it does.
      hangs: whether it does that by hanging.
      reset_sec: how long resets take there, where it does not fail.
      program: that each environment starts, and forgets about.
    """

    fails: bool = True
    hangs: bool = False
    reset_sec: float = 0.0
    program: str = ""

    def make(self):
        if self.program:
            subprocess.Popen(self.program.split())
        return _Game(self)


class _Game(synthetic.SyntheticEnvironment):
    def reset(self, seed, observation):
        print(3, flush=True)
        while self._config.fails and seeding.is_evaluation(seed):
            if not self._config.hangs:
                raise RuntimeError("no tests today")
            time.sleep(0.01)
        if seeding.is_evaluation(seed):
            time.sleep(self._config.reset_sec)
        super().reset(seed, observation)


@gin.configurable
class Chatty(Observer):
    """Prints after each update, and notes in a file that it could."""

    def begin(self, run):
        self._path = run.workdir / "chatty.txt"

    def after_update(self, env_steps, figures):
        print(env_steps, flush=True)
        with self._path.open("a") as file:
            file.write(f"{env_steps}\n")
