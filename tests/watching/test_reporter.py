import time

import numpy as np
import pytest

from hts_tf.collecting.policy import Batching
from hts_tf.files import scope
from hts_tf.files.evaluations import FILE_NAME, Evaluation
from hts_tf.files.workdir import BY_OBSERVER
from hts_tf.system import start, whole
from hts_tf.watching.reporter import Reporter


def make(directory):
    return Reporter(directory, Batching.ANY_SIZE, "", 100)


def minutes(reporter):
    return float(reporter.state()["run/minutes"])


@pytest.mark.parametrize(("launches", "expected"), [(1, 10), (2, 11)])
def test_minutes_of_a_run_that_goes_on(tmp_path, monkeypatch, launches, expected):
    """In another process, or, after a machine was lost, in the same one."""
    monkeypatch.setattr(start, "LAUNCHED", time.monotonic() - 600)
    state = make(tmp_path).state()
    if launches == 2:
        monkeypatch.setattr(start, "LAUNCHED", time.monotonic() - 60)
    again = make(tmp_path)
    again.restore(state)
    assert minutes(again) == pytest.approx(expected, abs=0.1)
    # And once more.
    third = make(tmp_path)
    third.restore(again.state())
    assert minutes(third) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_request_to_stop_is_not_forgotten_before_it_is_met(tmp_path, is_stopped):
    reporter = make(tmp_path)
    assert not reporter.state()["run/asked_to_stop"]
    reporter._observers.asked_to_stop = True
    again = make(tmp_path)
    again.restore({**reporter.state(), BY_OBSERVER: np.array(is_stopped)})
    assert again.is_asked_to_stop == (not is_stopped)


A, B, C = (
    {"numpy": numpy, "keras": keras} for numpy, keras in [("1", "3"), ("2", "3"), ("2", "4")]
)


@pytest.mark.parametrize(
    ("scopes", "has_history", "says"),
    [
        ([A], False, "reproducible to the bit with: numpy 1; keras 3"),
        (
            [B, A],
            False,
            "not reproducible as a whole: parts of this run were made with another numpy",
        ),
        ([C, B, A], False, "were made with another numpy, keras"),
        ([B, A], True, "not reproducible, as its environment has turned out not to be"),
    ],
)
def test_what_it_says_of_results_that_repeat(tmp_path, capfd, scopes, has_history, says):
    reporter = make(tmp_path)
    reporter.begin(0, "", scopes, has_history, is_complete=True)
    reporter.close()
    assert says in capfd.readouterr().out.splitlines()[0]


def test_what_earlier_launches_have_evaluated_is_known(tmp_path, monkeypatch):
    """So that the best one is the best of the run, not of the launch."""
    rows = [
        Evaluation(n, 100 * n, 20, score, 1.0, 50.0) for n, score in enumerate([0.5, 0.75, 1.0])
    ]
    whole.write_csv(tmp_path / FILE_NAME, Evaluation._fields, rows)
    reporter, told = make(tmp_path), []
    monkeypatch.setattr(reporter._progress, "evaluated", told.append)
    reporter.begin(100, "", [scope.describe()], has_history=False, is_complete=True)
    assert told == rows[:2], "it goes on from env step 100"
    reporter.close()
