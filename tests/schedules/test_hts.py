"""Which parameters collect what, and where its gradient is taken."""

import functools

import pytest

from hts_tf.algorithms import a2c
from hts_tf.schedules import hts
from tests.algorithms import reference
from tests.schedules import fakes

pytestmark = pytest.mark.usefixtures("op_determinism")

NUM_INTERVALS = 4


@functools.cache
def run(is_delayed):
    """Which is only looked at."""
    gradient_agent = reference.make_agent() if is_delayed else None
    return fakes.run(hts.HTS, a2c.A2C(learning_rate=0.01), NUM_INTERVALS, gradient_agent)


def test_the_gradient_is_taken_at_the_parameters_that_collected():
    collector, learner, rounds = run(is_delayed=True)
    assert [at for _, at, _ in learner.seen] == collector.collected_by
    # theta(0) collects both D(0) and D(1); every later interval has parameters of its own.
    assert collector.collected_by[0] == collector.collected_by[1]
    assert len(set(collector.collected_by)) == NUM_INTERVALS - 1
    # The target agent is not ahead in the first update, and one update ahead in all others.
    targets = [target for _, _, target in learner.seen]
    assert targets[0] == collector.collected_by[0]
    assert targets[:-1] == collector.collected_by[1:]
    assert [r.policy_lag for r in rounds] == [None, 0, 1, 1, 1]


def test_a_resumed_run_knows_who_has_filled_its_storages():
    first, again = hts.HTS(3), hts.HTS(3)
    first._policy_versions[...] = 7, 8
    again.restore({name: array.copy() for name, array in first.state().items()})
    assert again._policy_versions.tolist() == [7, 8]


def test_delayed_updates_against_the_plain_ones():
    """The first update is without lag, so it is the same to the bit; the second one is not."""
    _, delayed, _ = run(is_delayed=True)
    _, plain, _ = run(is_delayed=False)
    starts = zip(delayed.seen, plain.seen, strict=True)
    assert [one[2] == other[2] for one, other in starts] == [True, True, False, False]


def test_gradient_agent_is_part_of_the_learners_state():
    _, learner, _ = run(is_delayed=True)
    _, other, _ = fakes.run(hts.HTS, a2c.A2C(learning_rate=0.1), 2, reference.make_agent())
    agents = [(one.agent, one.gradient_agent) for one in (learner, other)]
    mine, others = ([agent.parameters_hash() for agent in pair] for pair in agents)
    assert len({*mine, *others}) == 4
    other.restore(learner.state())
    assert [agent.parameters_hash() for agent in agents[1]] == mine
    assert other.updates == learner.updates == NUM_INTERVALS
    for a, b in zip(learner.optimizer.variables, other.optimizer.variables, strict=True):
        assert (a.numpy() == b.numpy()).all()
