from types import SimpleNamespace

import numpy as np
import pytest

from hts_tf.run_state import Parts, RunState


class Machines:
    """The first of two machines, and what has come to it so far."""

    number = 0
    size = 2

    def __init__(self):
        self.told = []
        self.come = None
        self.has_history_there = False

    def keep(self, item):
        self.told.append(item)

    def kept(self, wait):
        return self.told_last() if wait else self.come

    def told_last(self):
        """As if the second machine's environments were those of the first, one further."""
        return self.both(len(self.told) - 1)

    def both(self, index):
        number, state, own, has_history = self.told[index]
        there = {name: array + 1 for name, array in state.items()}
        return [(number, state, own, has_history), (number, there, {}, self.has_history_there)]


@pytest.fixture
def machines():
    return Machines()


@pytest.fixture
def run(machines):
    """A run of which only the learner and the environments have a state: the number of rounds."""
    part = SimpleNamespace(state=dict)
    run = RunState(
        Parts(
            schedule=part,
            collector=SimpleNamespace(
                state=lambda number: {"storage/x": np.full((1, 1), number)},
                workers=SimpleNamespace(board=SimpleNamespace(has_history=[False])),
            ),
            learner=SimpleNamespace(
                num_updates=9, state=lambda: {"variable/x": np.array(run.next_round)}
            ),
            behaviour=None,
            pool=None,
            progress=None,
            keeper=part,
            reporter=part,
            team=machines,
            share=None,
        ),
        steps_per_round=10,
    )
    return run


def make_rounds(run, number):
    for _ in range(number):
        run.next_round += 1
        run.keep()


def test_the_environments_of_all_machines_are_in_it(run):
    make_rounds(run, 2)
    state = run.read()
    assert state["storage/x"].tolist() == [[2, 3]]
    assert state["run/next_round"] == state["variable/x"] == 2
    assert state["run/env_steps"] == 20


def test_nothing_is_safe_before_it_has_come(run):
    make_rounds(run, 1)
    assert run.last_kept() is None


def test_what_is_safe_is_of_one_round(run, machines):
    """Though the learner has gone on while the environments were on their way."""
    make_rounds(run, 4)
    machines.come = machines.both(1)
    run.next_round += 1
    number, state = run.last_kept()
    assert number == state["run/next_round"] == state["variable/x"] == 2
    assert state["storage/x"].tolist() == [[2, 3]]


def test_it_knows_of_history_that_another_machine_has_found(run, machines):
    make_rounds(run, 2)
    assert not run.read()["run/has_history"]
    machines.has_history_there = True
    assert run.read()["run/has_history"]


def test_only_the_first_machine_has_what_is_safe(run, machines):
    make_rounds(run, 1)
    machines.come = machines.told_last()
    machines.number = 1
    assert run.last_kept() is None


def test_the_last_round_of_hts_makes_no_env_steps(run):
    make_rounds(run, 10)
    assert run.env_steps == 90
