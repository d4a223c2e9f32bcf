"""Whatever observers do, the run goes on, and each is told the same."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from hts_tf import errors
from hts_tf.observers.observer import Observer, Run
from hts_tf.observers.told import Observers

RUN = Run(Path("run"), {"--seed": 0}, {"numpy": "2.4.6"}, 0, 1000)


class Leaving(Observer):
    def after_update(self, env_steps, figures):
        sys.exit()


class LeavingAtOnce(Observer):
    def begin(self, run):
        sys.exit()


class Careless(Observer):
    def begin(self, run):
        run.configuration.clear()
        run.scope.clear()

    def after_update(self, env_steps, figures):
        figures.clear()


class Listening(Observer):
    def begin(self, run):
        self.told = [run]

    def after_update(self, env_steps, figures):
        self.told.append(figures)


def test_one_that_ends_the_program_is_told_no_more(capfd):
    listening = Listening()
    observers = Observers([Leaving(), listening])
    observers.begin(RUN)
    for _ in range(2):
        observers.tell("after_update", 512, {"score": 1.0})
    assert listening.told == [RUN, {"score": 1.0}, {"score": 1.0}]
    assert capfd.readouterr().err.count("Leaving.after_update has failed (SystemExit:)") == 1


@pytest.mark.parametrize(
    ("answer", "is_asked"),
    [(np.float64(0.95) >= 0.9, True), (True, True), (1, False), ("no", False)],
)
def test_asking_to_stop(answer, is_asked):
    class Asking(Observer):
        def after_update(self, env_steps, figures):
            return answer

    observers = Observers([Asking()])
    observers.begin(RUN)
    observers.tell("after_update", 512, {})
    assert observers.asked_to_stop == is_asked


def test_one_that_ends_the_program_at_its_beginning_ends_the_run():
    with pytest.raises(errors.RunError, match=r"LeavingAtOnce\.begin has failed: SystemExit"):
        Observers([LeavingAtOnce()]).begin(RUN)


def test_the_end_is_told_once_and_how_it_came():
    class Ending(Listening):
        def end(self):
            self.told.append(self.ended)

    ending = Ending()
    observers = Observers([ending])
    observers.begin(RUN)
    assert ending.ended == ""
    observers.end("failed")
    observers.end("finished")
    assert ending.told == [RUN, "failed"]


def test_what_cannot_be_told_its_end_keeps_no_other_from_it(capfd):
    class Fixed(Observer):
        @property
        def ended(self):
            return ""

    @dataclasses.dataclass(frozen=True)
    class Frozen(Observer):
        told: list

        def end(self):
            self.told.append(self.ended)

    frozen = Frozen([])
    observers = Observers([Fixed(), frozen])
    for end in ("failed", "finished"):  # as after a machine was lost
        observers.begin(RUN)
        assert frozen.ended == ""
        observers.end(end)
    assert frozen.told == ["failed", "finished"]
    assert "Fixed.end has failed (AttributeError" in capfd.readouterr().err


def test_each_is_told_the_same():
    listening = Listening()
    observers = Observers([Careless(), listening])
    observers.begin(RUN)
    observers.tell("after_update", 512, {"score": 1.0})
    assert listening.told == [RUN, {"score": 1.0}]
    assert RUN.scope
