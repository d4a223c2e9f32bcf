from types import SimpleNamespace

import hypothesis
import numpy as np
from hypothesis import strategies as st

from hts_tf import rollouts
from hts_tf.collecting.actor import Actor, Claims, Gathering
from hts_tf.collecting.ledger import Place
from tests.collecting import boards


class Slots:
    """Environments of some executors, all of which have been answered: they can be stepped."""

    def __init__(self, owner):
        self.owner = np.array(owner)
        self.ledger = SimpleNamespace(version=np.zeros(len(owner), np.int64))
        self.answered = self.ledger.version.copy()
        self.claims = Gathering(self, self.owner)

    def can_step(self):
        return np.flatnonzero(self.answered == self.ledger.version).tolist()

    def step(self, slot, copies=1):
        """Steps a slot, hands over its ticket, and returns which are to be answered now."""
        self.ledger.version[slot] += 1
        return self.claims.take([slot] * copies).tolist()

    def answer(self, slots):
        self.answered[slots] = self.ledger.version[slots]


def test_of_many_tickets_one_counts():
    version = np.zeros(3, np.int64)
    claims = Claims(version)
    version[[0, 2]] = 1
    assert claims.take([2, 0, 2, 1]).tolist() == [2, 0]
    assert claims.take([0, 1, 2]).tolist() == []


def test_observations_gather_while_their_executors_have_others_to_step():
    slots = Slots([0, 0, 0, 0, 1, 1, 1, 1])
    assert [slots.step(slot) for slot in (0, 4, 5, 1)] == [[], [], [], [0, 4, 5, 1]]


def test_whoever_has_nothing_left_is_answered_with_all_that_ask():
    slots = Slots([0, 0, 1, 1, 1, 1, 1, 1])
    assert [slots.step(slot) for slot in (2, 0, 1)] == [[], [], [2, 0, 1]]


def test_an_executor_with_one_environment_never_waits():
    slots = Slots([0, 1, 1, 1, 1, 1])
    assert slots.step(0) == [0]


@hypothesis.given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_nobody_waits_for_ever(owner, data):
    """However executors step, each has something to step, and each step has one answer."""
    slots = Slots(owner)
    num_steps, answers = 50, []
    for _ in range(num_steps):
        slot = data.draw(st.sampled_from(slots.can_step()))
        found = slots.step(slot, copies=data.draw(st.integers(1, 2)))
        slots.answer(found)
        answers += found
        assert {*slots.owner[slots.can_step()]} == {*owner}
    waiting = len(owner) - len(slots.can_step())
    assert len(answers) == num_steps - waiting
    assert waiting < max(1, len(owner) // 2)


def test_nobody_is_met_in_a_task_without_rivals():
    game, step = boards.game_of_tasks(1, 0)
    made = boards.make(step, game, sync_interval=4, num_envs=2, num_storages=2)
    for task in (0, 1):
        made.ledger.move(task, Place(0, 0, 0, episode_over=False, task=task))
    asked, everybody = [], SimpleNamespace(number=lambda env, episode: 7)

    def act(who, observation, noise, state):
        asked.append(who.tolist())
        policy = {"logits": np.zeros((4, 3), np.float32)}
        return rollouts.Answer(np.zeros(4, np.uint8), policy, np.zeros(4, np.float32), ())

    everybody.act = act
    noise = np.zeros((4, 2, 2, 3), np.float32)
    actor = Actor(made, None, noise, None, 2, None, lambda *slots: None, rivals=everybody)
    actor._answer(np.array([0, 1]))
    assert asked == [[0, 7, 0, 0]]
    assert made.met.tolist() == [7, 0]
