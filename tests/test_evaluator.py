"""Episodes of two sides, each with a policy of its own, and of several tasks."""

import dataclasses
import functools
import threading
import time

import numpy as np
import pytest

from hts_tf import evaluator, seeding, specs
from hts_tf.collecting.policy import Policy
from hts_tf.environments import base
from hts_tf.environments.tasks import Tasks
from hts_tf.networks import cores, torsos
from hts_tf.networks.actor_critic import ActorCritic
from hts_tf.system import processors
from tests.guessing import Guessing

NUM_ACTIONS = 4


@dataclasses.dataclass(frozen=True)
class Bidding:
    """Two against one: who bids more has the difference, in each of three env steps."""

    @property
    def spec(self):
        return specs.EnvironmentSpec(
            specs.ArraySpec((2,), "float32"),
            specs.DiscreteSpec(num_values=NUM_ACTIONS),
            max_episode_steps=3,
            num_players=3,
            num_rivals=1,
        )

    def make(self):
        return _Auction()


class _Auction(base.Environment):
    def reset(self, seed, observation):
        self._steps = 0
        observation[...] = seed % 7

    def step(self, action, observation):
        self._steps += 1
        observation[...] = self._steps
        gained = float(action[0]) + float(action[1]) - 2 * float(action[2])
        scores = np.array([gained / 2, gained / 2, -gained])
        over = self._steps == 3
        return base.StepResult(scores, scores, np.full(3, over), np.zeros(3, bool))

    def close(self):
        pass


def records_of(*args, **kwargs):
    return [played.record for played in evaluator.play(*args, **kwargs)]


def policy_that_bids(action, core=None):
    agent = ActorCritic(Bidding().spec, 0, functools.partial(torsos.mlp, units=(5,)), core=core)
    for variable in agent.variables:
        variable.assign(np.zeros(variable.shape))
    [bias] = [v for v in agent.variables if v.shape == (NUM_ACTIONS,)]
    bias.assign(100.0 * np.eye(NUM_ACTIONS)[action])
    return Policy(agent, 12)


@pytest.mark.parametrize(("own", "others"), [(3, 1), (0, 2), (2, 2)])
def test_each_side_is_played_by_its_own(op_determinism, own, others):
    records = records_of(
        Bidding(), policy_that_bids(own), 5, seed=0, max_parallel=4, rivals=policy_that_bids(others)
    )
    assert [record.score for record in records] == [3.0 * (own - others)] * 5
    actions = np.frombuffer(records[0].actions, np.uint8).reshape(3, 3)
    assert actions.tolist() == [[own, own, others]] * 3


@pytest.mark.parametrize("who", [0, 1])
def test_sides_may_remember_otherwise(op_determinism, who):
    remembers = [functools.partial(cores.gru, units=3) if who == n else None for n in range(2)]
    own, others = (policy_that_bids(n + 1, core) for n, core in enumerate(remembers))
    records = records_of(Bidding(), own, 5, seed=0, max_parallel=4, rivals=others)
    assert [record.score for record in records] == [-3.0] * 5


def test_without_others_a_policy_plays_itself(op_determinism):
    records = records_of(Bidding(), policy_that_bids(2), 3, seed=0, max_parallel=2)
    assert [record.score for record in records] == [0.0] * 3


class _Swinging(_Auction):
    """What is bid counts in the first two env steps, and against the bidders in the third."""

    def step(self, action, observation):
        result = super().step(action, observation)
        sign = -1.0 if self._steps == 3 else 1.0
        return result._replace(score=sign * result.score)


class Swing(Bidding):
    def make(self):
        return _Swinging()


@pytest.mark.parametrize(("own", "others"), [(3, 1), (0, 2)])
def test_what_was_gained_and_conceded(op_determinism, own, others):
    players = policy_that_bids(own), policy_that_bids(others)
    for played in evaluator.play(Swing(), players[0], 5, 0, 4, rivals=players[1]):
        gained, conceded = 2.0 * abs(own - others), 1.0 * abs(own - others)
        if own < others:
            gained, conceded = conceded, gained
        assert (played.gained, played.conceded) == (gained, conceded)
        assert played.record.score == gained - conceded


TASKS = Tasks([Guessing(rivals=1, length=3), Guessing(rivals=0, length=5)])


@functools.cache
def played(max_parallel):
    torso = functools.partial(torsos.mlp, units=(8,))
    policy = Policy(ActorCritic(TASKS.spec, 0, torso), max_parallel * TASKS.spec.num_players)
    return records_of(TASKS, policy, 7, seed=3, max_parallel=max_parallel)


def test_tasks_take_turns(op_determinism):
    records = played(3)
    assert [record.task for record in records] == [0, 1, 0, 1, 0, 1, 0]
    for number, record in enumerate(records):
        assert record.episode == number
        assert seeding.is_evaluation(record.seed)
        assert seeding.task_of(record.seed, 2) == record.task
        assert record.length == (3, 5)[record.task]


@pytest.mark.parametrize("max_parallel", [1, 7])
def test_who_is_played_together_does_not_matter(op_determinism, max_parallel):
    assert played(max_parallel) == played(3)


class Fragile(Bidding):
    """One of which fails, while another, in a thread of its own, takes its time."""

    def __init__(self):
        self.made = []
        self.is_at_work = threading.Event()

    @property
    def spec(self):
        return dataclasses.replace(super().spec, in_threads=True)

    def make(self):
        self.made.append((_Slow if self.made else _Failing)(self.is_at_work))
        return self.made[-1]


class _Failing(_Auction):
    def __init__(self, other_is_at_work):
        self._other_is_at_work = other_is_at_work

    def step(self, action, observation):
        assert self._other_is_at_work.wait(60)
        raise ZeroDivisionError


class _Slow(_Auction):
    is_stepping = False
    was_closed_at_work = None

    def __init__(self, is_at_work):
        self._is_at_work = is_at_work

    def step(self, action, observation):
        self.is_stepping = True
        self._is_at_work.set()
        time.sleep(0.3)
        self.is_stepping = False
        return super().step(action, observation)

    def close(self):
        self.was_closed_at_work = self.is_stepping


@dataclasses.dataclass(frozen=True)
class Threads(Bidding):
    """As of an environment with a connection to a database, say."""

    used: list = dataclasses.field(default_factory=list)
    in_threads: bool = True

    @property
    def spec(self):
        return dataclasses.replace(super().spec, in_threads=self.in_threads)

    def make(self):
        self.used.append({threading.current_thread()})
        return _OfAThread(self.used[-1])


class _OfAThread(_Auction):
    def __init__(self, used):
        self._used = used

    def reset(self, seed, observation):
        self._used.add(threading.current_thread())
        super().reset(seed, observation)

    def step(self, action, observation):
        self._used.add(threading.current_thread())
        return super().step(action, observation)

    def close(self):
        self._used.add(threading.current_thread())


def test_each_environment_is_one_threads_own(op_determinism, monkeypatch):
    monkeypatch.setattr(processors, "usable_cores", lambda: 2)
    environment = Threads()
    evaluator.play(environment, policy_that_bids(1), 9, 0, 4)
    assert list(map(len, environment.used)) == [1, 1, 1, 1]
    assert len(set.union(*environment.used)) == 2


def test_all_are_the_calling_threads_but_those_that_say_so(op_determinism):
    environment = Threads(in_threads=False)
    evaluator.play(environment, policy_that_bids(1), 9, 0, 4)
    assert set.union(*environment.used) == {threading.current_thread()}


def test_none_is_closed_while_it_is_stepped(op_determinism, monkeypatch):
    monkeypatch.setattr(processors, "usable_cores", lambda: 2)
    environment = Fragile()
    with pytest.raises(ZeroDivisionError):
        evaluator.play(environment, policy_that_bids(1), 2, 0, 2)
    assert environment.is_at_work.is_set()
    assert environment.made[1].was_closed_at_work is False
