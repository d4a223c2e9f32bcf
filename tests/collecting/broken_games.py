"""What may go wrong in an executor; and, last, a sound game of dicts and arrays.

Everything here happens in its process.
"""

import ctypes
import dataclasses
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np

from hts_tf import specs
from hts_tf.collecting import buffers, executor_process, ledger
from hts_tf.environments import base, synthetic


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(0)


def fail():
    raise RuntimeError("the ball is lost")


def run_out_of_memory():
    raise MemoryError


def around(owner, name, before, after):
    method = getattr(owner, name)

    def changed(*args):
        before()
        result = method(*args)
        after()
        return result

    setattr(owner, name, changed)


@dataclasses.dataclass(frozen=True)
class DiesNowAndThen(synthetic.Synthetic):
    where: str = ""
    how: str = "kill"
    probability: float = 0.1

    def make(self):
        chance = random.SystemRandom()

        def die():
            if chance.random() < self.probability:
                globals()[self.how]()

        def live():
            pass

        moment, name = self.where.split()
        before, after = (die, live) if moment == "before" else (live, die)
        owners = {
            "move": ledger.Ledger,
            "enqueue": buffers.TicketBuffer,
            "dequeue_up_to": buffers.TicketBuffer,
            "write_action": ledger.Ledger,
        }
        if name in owners:
            if not getattr(owners[name], "is_deadly", False):
                owners[name].is_deadly = True
                around(owners[name], name, before, after)
            return super().make()
        game = super().make()
        around(game, name, before, after)
        return game


class LostBall(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        if self._step == 2:
            fail()
        return super().step(action, observation)


@dataclasses.dataclass(frozen=True)
class BreaksInStep(synthetic.Synthetic):
    def make(self):
        return LostBall(self)


@dataclasses.dataclass(frozen=True)
class BreaksInStepWithHistory(BreaksInStep):
    @property
    def spec(self):
        return dataclasses.replace(super().spec, history_free=False)


@dataclasses.dataclass(frozen=True)
class BreaksInMake(synthetic.Synthetic):
    def make(self):
        raise RuntimeError("there is no ball")


class SlowBall(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        if random.SystemRandom().random() < 0.01:
            time.sleep(3600)
        return super().step(action, observation)


@dataclasses.dataclass(frozen=True)
class HangsNowAndThen(synthetic.Synthetic):
    def make(self):
        return SlowBall(self)


class Forgetful(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        result = super().step(action, observation)
        return result._replace(reward=float("nan")) if self._step == 3 else result


@dataclasses.dataclass(frozen=True)
class TakesTimeToBuild(synthetic.Synthetic):
    def make(self):
        time.sleep(1.5)
        return super().make()


@dataclasses.dataclass(frozen=True)
class BreaksARule(synthetic.Synthetic):
    def make(self):
        return Forgetful(self)


class Endless(synthetic.SyntheticEnvironment):
    def step(self, action, observation):
        return super().step(action, observation)._replace(terminated=False)


@dataclasses.dataclass(frozen=True)
class NeverEnds(synthetic.Synthetic):
    def make(self):
        return Endless(self)


class Stuck(Forgetful):
    def close(self):
        time.sleep(3600)


@dataclasses.dataclass(frozen=True)
class HangsWhenItIsClosed(synthetic.Synthetic):
    def make(self):
        executor_process._CLOSING_SEC = 0.1
        return Stuck(self)


class Tired(synthetic.SyntheticEnvironment):
    def __init__(self, config, tired_at):
        super().__init__(config)
        self._tired_at = tired_at
        self._breaks_a_rule = config.breaks_a_rule

    def step(self, action, observation):
        is_tired = self._step == self._tired_at
        if is_tired and not self._breaks_a_rule:
            fail()
        result = super().step(action, observation)
        return result._replace(reward=np.nan) if is_tired else result


@dataclasses.dataclass(frozen=True)
class CannotBePlayedAgain(synthetic.Synthetic):
    played: str = ""
    breaks_a_rule: bool = False

    def make(self):
        with Path(self.played).open("a") as file:
            begun = file.tell()  # how many were before
            file.write(".")
        return Tired(self, begun) if begun else super().make()


@dataclasses.dataclass(frozen=True)
class IgnoresItsSeed(synthetic.Synthetic):
    def make(self):
        game = super().make()
        show = game._show
        brightness = 1 + random.random()

        def show_brighter(observation):
            show(observation)
            observation *= brightness

        game._show = show_brighter
        return game


class Diary(synthetic.SyntheticEnvironment):
    pages = 0  # steps in its life, shown on top of everything else

    def step(self, action, observation):
        self.pages += 1
        return super().step(action, observation)

    def _show(self, observation):
        super()._show(observation)
        observation += self.pages


@dataclasses.dataclass(frozen=True)
class KeepsADiary(synthetic.Synthetic):
    says_so: bool = False

    @property
    def spec(self):
        return dataclasses.replace(super().spec, history_free=not self.says_so)

    def make(self):
        return Diary(self)


@dataclasses.dataclass(frozen=True)
class DiesWithItsDiary(DiesNowAndThen, KeepsADiary):
    pass


class Parent(synthetic.SyntheticEnvironment):
    def __init__(self, config, command):
        super().__init__(config)
        self._child = subprocess.Popen([*command, "sleep", "3600"])

    def close(self):
        self._child.terminate()  # works only if children have default signals
        self._child.wait()


@dataclasses.dataclass(frozen=True)
class StartsAChild(synthetic.Synthetic):
    command: tuple = ()

    def make(self):
        return Parent(self, self.command)


class Walk(base.Environment):
    uses_up = False

    def reset(self, seed, observation):
        self._place = np.random.default_rng(seed).normal(size=2)
        self._step = 0
        self._show(observation)

    def step(self, action, observation):
        self._place = self._place + action
        if self.uses_up:
            action *= 0
        self._step += 1
        self._show(observation)
        return base.StepResult(self._place[0], self._place[1], self._step == 5, False)

    def close(self):
        pass

    def _show(self, observation):
        observation["place"][:] = self._place
        observation["clock"][...] = self._step


@dataclasses.dataclass(frozen=True)
class Walking:
    @property
    def spec(self):
        pair, number = specs.ArraySpec((2,), "float32"), specs.ArraySpec((), "int64")
        return specs.EnvironmentSpec({"place": pair, "clock": number}, pair, 5)

    def make(self):
        return Walk()


class Greedy(Walk):
    uses_up = True


@dataclasses.dataclass(frozen=True)
class UsesActionsUp(Walking):
    def make(self):
        return Greedy()
