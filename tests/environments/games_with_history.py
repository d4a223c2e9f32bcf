"""Games with faults, where other processes can import them, too."""

import dataclasses
import os
import random

from hts_tf import specs
from hts_tf.environments import base, synthetic


@dataclasses.dataclass(frozen=True)
class Game(synthetic.Synthetic):
    """`Synthetic` with a fault of that name, see `Faulty`; "" for none."""

    fault: str = ""
    parent: int = 0

    @property
    def spec(self):
        spec = super().spec
        if self.fault == "writes":
            spec = dataclasses.replace(spec, action=specs.ArraySpec((2,), "bool"))
        if self.fault == "told":
            spec = dataclasses.replace(spec, figures=("luck",))
        return dataclasses.replace(spec, observation={"light": spec.observation})

    def make(self):
        return Faulty(self)


class Faulty(base.Environment):
    # Whether the last episode was left before its end.
    left = False

    def __init__(self, config):
        self._config = config
        self._fault = config.fault
        self._game = synthetic.SyntheticEnvironment(config)
        self._lucky = random.random()
        self._episodes = 0

    def reset(self, seed, observation):
        self._episodes += 1
        self._was_left, self.left = self.left, True
        self._game.reset(0 if self._fault == "seed" else seed, observation["light"])
        if self._fault == "global":
            random.seed(seed)
        if self._fault == "reset" and self._episodes > 1:
            observation["light"] += 1

    def step(self, action, observation):
        if self._fault == "writes":
            action[0] = not action[0]
            action = 0
        result = self._game.step(action, observation["light"])
        self.left = not result.terminated
        if self._fault == "left" and self._was_left and self._game._step == 3:
            result = result._replace(score=result.score + 1)
        if self._fault == "lucky" and self._game._step == 2:
            result = result._replace(reward=self._lucky)
        if self._fault == "global":
            result = result._replace(reward=random.random())
        if self._fault == "endless":
            result = result._replace(terminated=False)
        if (
            self._fault == "process"
            and os.getpid() != self._config.parent
            and self._game._step == 2
        ):
            os.write(1, b"elsewhere\n")
            result = result._replace(reward=result.reward + 1)
        if self._fault == "told" and result.terminated:
            result = result._replace(figures=(self._lucky,))
        return result

    def close(self):
        if self._fault == "process" and os.getpid() != self._config.parent:
            os.write(1, b"elsewhere\n")


class Crash(Faulty):
    def reset(self, seed, observation):
        if os.getpid() != self._config.parent:
            os._exit(7)
        super().reset(seed, observation)


@dataclasses.dataclass(frozen=True)
class Crashing(Game):
    def make(self):
        return Crash(self)
