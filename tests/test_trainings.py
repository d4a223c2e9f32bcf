import pytest

from hts_tf import trainings
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
