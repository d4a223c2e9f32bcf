import pytest

from hts_tf import trainings
from hts_tf.system.child import ChildError
from hts_tf.system.stop_signals import Interrupted
from hts_tf.trainings import together


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch):
    monkeypatch.setattr(trainings, "_POLL_SEC", 0.0)


def task(name, steps, said, error=None):
    def begin(place):
        said.append(f"{name} at {place}")
        try:
            for _ in range(steps):
                yield
        except Interrupted:
            said.append(f"{name} interrupted")
            raise
        except GeneratorExit:
            said.append(f"{name} closed")
            raise
        if error:
            raise error
        said.append(f"{name} over")

    return begin


def test_as_many_at_once_as_there_are_places():
    said = []
    together([task("a", 3, said), task("b", 1, said), task("c", 5, said)], ["x", "y"])
    assert said == ["a at x", "b at y", "b over", "c at y", "a over", "c over"]
    together([], ["x"])


def test_if_one_fails_the_others_end():
    said = []
    tasks = [task("a", 9, said), task("b", 2, said, ZeroDivisionError()), task("c", 1, said)]
    with pytest.raises(ZeroDivisionError):
        together(tasks, ["x", "y"])
    assert said == ["a at x", "b at y", "a closed"]


@pytest.mark.parametrize("where", ["here", "there"])
def test_interrupted(monkeypatch, where):
    said = []
    interruption = Interrupted(15)
    tasks = [task("a", 9, said), task("b", 2, said, interruption if where == "there" else None)]
    if where == "here":

        def sleep(_):
            raise interruption

        monkeypatch.setattr(trainings.time, "sleep", sleep)
    with pytest.raises(Interrupted):
        together(tasks, ["x", "y"])
    assert said[:3] == ["a at x", "b at y", "a interrupted"]


@pytest.mark.parametrize("where", ["here", "there"])
def test_interrupted_all_are_asked_to_end_before_any_has_to(monkeypatch, where):
    """Wherever the signal has come."""
    said = []
    interruption = Interrupted(15)
    interruptions = iter([interruption] if where == "here" else [])

    def is_interrupted(name):
        yield
        yield interruption
        yield interruption
        said.append(f"{name} ends")
        raise interruption

    def takes_its_time(name):
        try:
            while True:
                yield
        except Interrupted:
            said.append(f"{name} asked")
            yield
            yield
            said.append(f"{name} ends")
            raise

    def sleep(_):
        for interruption in interruptions:
            raise interruption

    monkeypatch.setattr(trainings.time, "sleep", sleep)
    first = takes_its_time if where == "here" else is_interrupted
    with pytest.raises(Interrupted):
        together([lambda _: first("a"), lambda _: takes_its_time("b")], ["x", "y"])
    asked = ["a asked"] if where == "here" else []
    assert said == [*asked, "b asked", "a ends", "b ends"]


@pytest.mark.parametrize("code", [1, 3])
def test_one_that_fails_while_all_end_keeps_no_other_from_it(monkeypatch, capfd, code):
    said, interruptions = [], iter([Interrupted(15)])

    def fails(place):
        try:
            while True:
                yield
        except Interrupted:
            raise ChildError("a: no room", code) from None

    def takes_its_time(place):
        try:
            while True:
                yield
        except Interrupted:
            yield
            said.append("b ends")
            raise

    def sleep(_):
        for interruption in interruptions:
            raise interruption

    monkeypatch.setattr(trainings.time, "sleep", sleep)
    with pytest.raises(Interrupted):
        together([fails, takes_its_time], ["x", "y"])
    assert said == ["b ends"]
    assert "a: no room" in capfd.readouterr().err
