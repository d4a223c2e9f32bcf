import numpy as np
import pytest

from hts_tf import specs
from hts_tf.collecting import board, shared_memory
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base

SPEC = specs.EnvironmentSpec(specs.ArraySpec((2,), "float32"), num_actions=3, max_episode_steps=9)
SYNC_INTERVAL, NUM_ENVS, NUM_STORAGES = 2, 3, 2


@pytest.fixture
def slots():
    """A board whose slots have all begun their first episode: the actors' turn."""
    fields = board.fields(SPEC, SYNC_INTERVAL, NUM_ENVS, NUM_STORAGES)
    made = board.Board(shared_memory.SharedArrays(fields))
    made.clear()
    made.give_to_executors()
    for slot in range(NUM_ENVS):
        place = made.ledger.place(slot)
        made.observation(slot, place.step)[:] = slot
        made.ledger.move(slot, Place(0, 0, 0, False))
    return made


def answer(slots, asked):
    """Answers some slots, each with its number as action, and ten times that as value."""
    questions = slots.questions(np.array(asked))
    numbers = np.array(asked, np.uint8)
    logits = np.full((len(asked), 3), 0.5, np.float32)
    return slots.answer(questions, numbers, logits, numbers * np.float32(10))


def step(slots, slot, truncated=False):
    place = slots.ledger.place(slot)
    action = slots.begin_step(slot, place)
    slots.observation(slot, place.step + 1)[:] = slot + 0.5
    place = slots.end_step(slot, place, base.StepResult(1.0, 2.0, False, truncated))
    slots.ledger.move(slot, place)
    return action


def turns(slots):
    return [slots.is_executors_turn(slot) for slot in range(NUM_ENVS)]


def test_turns_alternate(slots):
    assert turns(slots) == [False, False, False]
    answered, finished = answer(slots, [2, 0])
    assert answered.tolist() == [2, 0]
    assert finished.tolist() == []
    assert turns(slots) == [True, False, True]
    assert step(slots, 2) == 2
    assert turns(slots) == [True, False, False]


def test_nobody_has_a_turn_before_it_is_given():
    fields = board.fields(SPEC, SYNC_INTERVAL, NUM_ENVS, NUM_STORAGES)
    made = board.Board(shared_memory.SharedArrays(fields))
    made.clear()
    assert turns(made) == [False, False, False]
    made.give_to_executors(np.array([1]))
    assert turns(made) == [False, True, False]


def test_an_ordinary_answer_and_the_step_after_it_lie_side_by_side(slots):
    answer(slots, [1])
    step(slots, 1)
    storage = slots.storages
    assert storage.action[0, 0, 1] == 1
    assert storage.value[0, 0, 1] == 10
    assert storage.logits[0, 0, 1].tolist() == [0.5, 0.5, 0.5]
    assert (storage.reward[0, 0, 1], storage.score[0, 0, 1]) == (1, 2)
    assert storage.observation[0, :2, 1].tolist() == [[1, 1], [1.5, 1.5]]
    assert slots.ledger.current(1)[1].tolist() == [1]
    assert np.isnan(storage.value[0, :, [0, 2]]).all()


def test_the_last_observation_of_a_truncated_episode_is_valued_only(slots):
    answer(slots, [1])
    step(slots, 1, truncated=True)
    before = slots.storages.action.copy()
    answered, finished = answer(slots, [1])
    assert (answered.tolist(), finished.tolist()) == ([1], [])
    assert slots.storages.truncation_value[0, 0, 1] == 10
    assert np.isnan(slots.storages.value[0, 1, 1])
    np.testing.assert_array_equal(slots.storages.action, before)
    assert turns(slots) == [False, True, False]


def test_a_slot_that_has_finished_is_nobodys_until_it_enters_the_next_interval(slots):
    for _ in range(SYNC_INTERVAL):
        answer(slots, [1])
        step(slots, 1)
    answered, finished = answer(slots, [1])
    assert (answered.tolist(), finished.tolist()) == ([], [1])
    assert slots.storages.value[0, SYNC_INTERVAL, 1] == 10
    assert turns(slots) == [False, False, False]

    version, place = slots.ledger.moves(1), slots.ledger.place(1)
    slots.enter_interval(1, 1)
    assert slots.ledger.place(1) == place._replace(step=0)
    assert slots.ledger.moves(1) == version + 1
    questions = slots.questions(np.array([1, 0]))
    assert questions.storage.tolist() == [1, 0]
    assert questions.observation.tolist() == [[1.5, 1.5], [0, 0]]
    assert slots.interval.tolist() == [0, 1, 0]
    assert slots.ledger.place(0) == (0, 0, 0, False)


def test_sync_points_are_counted(slots):
    assert slots.sync_points() == 0
    slots.next_sync_point()
    assert slots.sync_points() == 1
