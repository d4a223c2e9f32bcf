import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.sweeping import space
from hts_tf.sweeping.study import COMPLETE, DIVERGED, MARKS, PRUNED, UNFINISHED, Study, area

SPACE = space.parse(["x = between(0, 1)", "n = whole(1, 4)", "kind = one_of(a, b)"])
BUDGET = 1000


def values_of(bindings):
    x, n, kind = (binding.partition(" = ")[2] for binding in bindings)
    return float(x), int(n), kind


def judge(x, n, kind):
    return x * n / 4 + (kind == "b")


def play(trial, num_runs):
    """A run scores from 100 env steps on, linearly, up to what `judge` says of the bindings."""
    end = judge(*values_of(trial.bindings))
    for run in range(num_runs):
        for steps in range(100, BUDGET + 100, 100):
            places = np.arange(100, steps + 100, 100)
            if trial.take(run, places, end * places / BUDGET, BUDGET, steps >= BUDGET):
                break
        if trial.state != UNFINISHED:
            return


def sweep(at_once=1, num_runs=2, trials=24, seed=0):
    study = Study(SPACE, num_runs, seed)
    made = []
    while len(made) < trials:
        batch = [study.ask() for _ in range(at_once)]
        for trial in batch:
            play(trial, num_runs)
        for trial in batch:
            study.tell(trial)
        made += batch
    return [(trial.bindings, trial.state, trial.value) for trial in made]


@pytest.mark.parametrize("at_once", [1, 3])
def test_the_same_trials_each_time(at_once):
    assert sweep(at_once) == sweep(at_once)
    assert sweep(at_once) != sweep(at_once, seed=1)


def test_trials_get_better_and_bad_ones_end_early():
    made = sweep(trials=60)
    states = [state for _, state, _ in made]
    assert set(states[:5]) == {COMPLETE}  # there is nothing yet to be worse than
    assert states.count(PRUNED) > 10
    worth = [judge(*values_of(bindings)) for bindings, _, _ in made]
    assert np.mean(worth[40:]) > np.mean(worth[:20])
    complete = [w for w, (_, state, _) in zip(worth, made, strict=True) if state == COMPLETE]
    assert np.median(complete) > np.median(worth)


@pytest.mark.parametrize("level", [-10.0, 10.0])
def test_one_that_gets_worse_than_half_ends_early(level):
    study = Study(SPACE, 1, seed=0)
    places = np.arange(1, 21) * BUDGET / 20
    ends = []
    for late in [0.0] * 6 + [-15.0]:
        trial = study.ask()
        scores = np.where(places < BUDGET / 5, level + 1, level + late)
        ends.append(1)
        while not trial.take(0, places[: ends[-1]], scores[: ends[-1]], BUDGET, ends[-1] == 20):
            ends[-1] += 1
        study.tell(trial)
    assert ends[:6] == [20] * 6
    assert trial.state == PRUNED
    assert 4 <= ends[6] < 10


def test_bad_luck_to_begin_with_ends_no_trial():
    study, places = Study(SPACE, 2, seed=0), np.arange(1, 21) * BUDGET / 20
    for begins in [1.0] * 5 + [0.5]:
        trial = study.ask()
        scores = np.where(places < BUDGET / 5, begins, 2.0 - begins)
        for run in range(2):
            trial.take(run, places, scores, BUDGET, ended=True)
        study.tell(trial)
    assert trial.state == COMPLETE


@pytest.mark.parametrize(("level", "state"), [(2.5, PRUNED), (3.5, COMPLETE)])
def test_half_is_the_median_of_those_that_are_complete(level, state):
    study, places = Study(SPACE, 1, seed=0), np.arange(1, 21) * BUDGET / 20
    for worth in (1.0, 2.0, 3.0, 4.0, 5.0, level):
        trial = study.ask()
        trial.take(0, places, np.full(20, worth), BUDGET, ended=True)
        study.tell(trial)
    assert trial.state == state


@pytest.mark.parametrize("places", [[], [500]])
def test_one_that_diverges_is_told_as_worse_than_all_that_are_complete(places):
    """Whatever it was worth: where scores are negative, that is much."""
    study = Study(SPACE, 1, seed=0)
    trial = study.ask()
    scores = np.full(len(places), 0.5)
    assert not trial.take(0, np.array(places), scores, BUDGET, ended=False)
    before = trial.value
    trial.diverge()
    study.tell(trial)
    assert (trial.state, trial.value) == (DIVERGED, before)
    [told] = study._study.trials
    assert told.state == optuna.trial.TrialState.PRUNED
    assert study.ask().number == 1


def test_a_run_that_ended_before_its_minutes():
    trial = Study(SPACE, 1, seed=0).ask()
    assert trial.take(0, np.array([10.0, 20.0]), np.array([0.0, 0.5]), 40.0, ended=True)
    assert trial.state == COMPLETE
    assert trial.value == pytest.approx((0.25 * 10 + 0.5 * 20) / 40)


def test_one_that_never_scored():
    trial = Study(SPACE, 1, seed=0).ask()
    assert not trial.take(0, np.array([]), np.array([]), BUDGET, ended=False)
    assert trial.take(0, np.array([]), np.array([]), BUDGET, ended=True)
    assert (trial.state, trial.value) == (COMPLETE, 0.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(1, MARKS))
def test_area(scores, mark):
    places = np.arange(1, len(scores) + 1) * 10.0
    end = mark / MARKS * places[-1]
    fine = np.linspace(places[0], end, 20_001)
    expected = np.trapezoid(np.interp(fine, places, scores), fine) if end > places[0] else 0.0
    assert area(places, np.array(scores), end) == pytest.approx(expected, abs=1e-3)
