import numpy as np
import pytest

from hts_tf import rollouts, specs, trees
from hts_tf.collecting.ledger import Place
from hts_tf.environments import base
from tests.collecting import boards

GAME = specs.EnvironmentSpec(specs.ArraySpec((2,), "float32"), specs.DiscreteSpec(num_values=3), 9)
DISCRETE = rollouts.step_spec(GAME, {"logits": specs.ArraySpec((3,), "float32")})
PAIR = specs.ArraySpec((2,), "float32")
TREE_GAME = specs.EnvironmentSpec({"map": specs.ArraySpec((2, 4), "uint8"), "speed": PAIR}, PAIR, 9)
TREE = rollouts.step_spec(TREE_GAME, {"mean": PAIR, "scale": PAIR})
SYNC_INTERVAL, NUM_ENVS, NUM_STORAGES = 2, 3, 2


def make(step=DISCRETE, game=GAME, num_storages=NUM_STORAGES):
    return boards.make(step, game, SYNC_INTERVAL, NUM_ENVS, num_storages)


def begin_episodes(slots):
    slots.give_to_executors()
    for slot in range(NUM_ENVS):
        place = slots.ledger.place(slot)
        fill(slots.observation(slot, place), slot)
        slots.ledger.move(slot, Place(0, 0, 0, False))
    return slots


def fill(observation, number):
    for _, array in trees.named(observation):
        array[:] = number


@pytest.fixture
def slots():
    """A board whose slots have all begun their first episode: the actors' turn."""
    return begin_episodes(make())


@pytest.fixture
def tree_slots():
    """The same with dicts for observations and arrays for actions."""
    return begin_episodes(make(TREE, TREE_GAME))


def answer(slots, asked):
    """Answers some slots, each with its number as action, and ten times that as value."""
    questions = slots.questions(np.array(asked))
    numbers = np.array(asked, np.uint8)
    policy = {"logits": np.full((len(asked), 3), 0.5, np.float32)}
    return slots.answer(questions, rollouts.Answer(numbers, policy, numbers * np.float32(10)))


def answer_tree(slots, asked):
    """The same, with a different number in each place."""
    questions = slots.questions(np.array(asked))
    numbers = np.array(asked, np.float32)
    pairs = np.stack([numbers + 0.25, -numbers], axis=-1)
    policy = {"mean": pairs + 100, "scale": pairs + 200}
    return slots.answer(questions, rollouts.Answer(pairs, policy, numbers * 10))


def step(slots, slot, truncated=False):
    place = slots.ledger.place(slot)
    action, observation = slots.begin_step(slot, place)
    fill(observation, slot + 0.5)
    place = slots.end_step(slot, place, base.StepResult(1.0, 2.0, False, truncated))
    slots.ledger.move(slot, place)
    return action


def turns(slots):
    theirs = slots.on_executors_turn([*range(NUM_ENVS), *range(NUM_ENVS)])
    assert len(theirs) == len(set(theirs))
    return [slot in theirs for slot in range(NUM_ENVS)]


def test_turns_alternate(slots):
    assert turns(slots) == [False, False, False]
    answered, finished = answer(slots, [2, 0])
    assert answered.tolist() == [2, 0]
    assert finished.tolist() == []
    assert turns(slots) == [True, False, True]
    assert step(slots, 2) == 2
    assert turns(slots) == [True, False, False]


def test_nobody_has_a_turn_before_it_is_given():
    made = make()
    assert turns(made) == [False, False, False]
    made.give_to_executors(np.array([1]))
    assert turns(made) == [False, True, False]


def test_an_ordinary_answer_and_the_step_after_it_lie_side_by_side(slots):
    answer(slots, [1])
    step(slots, 1)
    storage = slots.storages
    assert storage.action[0, 0, 1] == [1]
    assert storage.value[0, 0, 1] == [10]
    assert storage.policy["logits"][0, 0, 1].tolist() == [[0.5, 0.5, 0.5]]
    assert (storage.reward[0, 0, 1], storage.score[0, 0, 1]) == ([1], [2])
    assert storage.observation[0, :2, 1].tolist() == [[[1, 1]], [[1.5, 1.5]]]
    assert slots.ledger.current(1)[1].tolist() == [[1]]
    assert np.isnan(storage.value[0, :, [0, 2]]).all()


def test_the_last_observation_of_a_truncated_episode_is_valued_only(slots):
    answer(slots, [1])
    step(slots, 1, truncated=True)
    before = slots.storages.action.copy()
    answered, finished = answer(slots, [1])
    assert (answered.tolist(), finished.tolist()) == ([1], [])
    assert slots.storages.truncation_value[0, 0, 1] == [10]
    assert np.isnan(slots.storages.value[0, 1, 1]).all()
    np.testing.assert_array_equal(slots.storages.action, before)
    assert turns(slots) == [False, True, False]


def test_a_slot_that_has_finished_is_nobodys_until_it_enters_the_next_interval(slots):
    for _ in range(SYNC_INTERVAL):
        answer(slots, [1])
        step(slots, 1)
    answered, finished = answer(slots, [1])
    assert (answered.tolist(), finished.tolist()) == ([], [1])
    assert slots.storages.value[0, SYNC_INTERVAL, 1] == [10]
    assert turns(slots) == [False, False, False]

    version, place = slots.ledger.moves[1], slots.ledger.place(1)
    slots.enter_interval([1], 1)
    assert slots.ledger.place(1) == place._replace(step=0, interval=1)
    assert slots.ledger.moves[1] == version + 1
    questions = slots.questions(np.array([1, 0]))
    assert questions.storage.tolist() == [1, 0]
    assert questions.observation.tolist() == [[1.5, 1.5], [0, 0]]
    assert slots.ledger.place(0) == Place(0, 0, 0, False)


@pytest.mark.parametrize("num_storages", [1, 2])
def test_who_looks_while_a_slot_is_taken_on_finds_what_was_last(num_storages, monkeypatch):
    """An executor that takes the place of a dead one, however long the trainer takes for it."""
    slots = begin_episodes(make(num_storages=num_storages))
    move, found = slots.ledger.move, []

    def look(slot, place):
        before = slots.ledger.place(slot)
        found.append(slots.observation(slot, before).tolist())
        move(slot, place)
        found.append(slots.observation(slot, before).tolist())  # also who had looked before
        found.append(slots.observation(slot, place).tolist())

    for interval in range(1, 4):
        for _ in range(SYNC_INTERVAL):
            answer(slots, [1])
            step(slots, 1)
        answer(slots, [1])
        fill(slots.observation(1, slots.ledger.place(1)), interval)
        with monkeypatch.context() as patch:
            patch.setattr(slots.ledger, "move", look)
            slots.enter_interval([1], interval)
    assert found == [[n, n] for n in (1, 2, 3) for _ in range(3)]


def test_an_episode_is_cut_after_its_last_step(slots):
    answer(slots, [1])
    step(slots, 1)
    answer(slots, [1])
    slots.cut(1, slots.ledger.place(1))
    storage = slots.storages
    assert np.argwhere(slots.cut_short).tolist() == [[0, 1, 1]]
    assert np.argwhere(storage.truncated).tolist() == [[0, 0, 1, 0]]
    assert storage.truncation_value[0, 0, 1] == [10]


def test_an_episode_is_cut_between_intervals_and_the_mark_goes_with_the_storage(slots):
    for interval in range(1, 4):
        for _ in range(SYNC_INTERVAL):
            answer(slots, [1])
            step(slots, 1)
        answer(slots, [1])
        slots.enter_interval([1], interval)
        if interval == 1:
            answer(slots, [1])
            slots.cut(1, slots.ledger.place(1))
        assert np.argwhere(slots.cut_short).tolist() == ([] if interval == 3 else [[1, 0, 1]])
    assert not slots.storages.truncated.any()


def test_sync_points_are_counted(slots):
    assert slots.sync_points() == 0
    slots.next_sync_point()
    assert slots.sync_points() == 1


def test_arrays_of_a_tree(tree_slots):
    leading = (NUM_STORAGES, SYNC_INTERVAL, NUM_ENVS, 1)
    storages = tree_slots.storages
    assert storages.action.shape == (*leading, 2)
    assert {name: array.shape for name, array in storages.policy.items()} == {
        "mean": (*leading, 2),
        "scale": (*leading, 2),
    }
    observation = tree_slots.observation(1, Place(0, 0, 0, False))
    assert (observation["map"].shape, observation["map"].dtype) == ((2, 4), np.uint8)
    assert (observation["speed"].shape, observation["speed"].dtype) == ((2,), np.float32)
    assert tree_slots.ledger.arrays["action"].shape == (NUM_ENVS, 9, 1, 2)
    assert tree_slots.ledger.arrays["action"].dtype == np.float32


def test_questions_answers_and_actions_of_a_tree_arrive(tree_slots):
    asked = tree_slots.questions(np.array([2, 0])).observation
    assert asked["map"].shape == (2, 2, 4)
    assert asked["map"][:, 1, 3].tolist() == [2, 0]
    assert asked["speed"].tolist() == [[2, 2], [0, 0]]

    answered, finished = answer_tree(tree_slots, [2, 0])
    assert (answered.tolist(), finished.tolist()) == ([2, 0], [])
    assert step(tree_slots, 2).tolist() == [2.25, -2]
    storages = tree_slots.storages
    assert storages.action[0, 0, 2].tolist() == [[2.25, -2]]
    assert storages.policy["mean"][0, 0, 2].tolist() == [[102.25, 98]]
    assert storages.policy["scale"][0, 0, 2].tolist() == [[202.25, 198]]
    assert storages.value[0, 0, 2].tolist() == [20]
    assert storages.observation["map"][0, :2, 2, 0, 0, 0].tolist() == [2, 2]
    assert storages.observation["speed"][0, :2, 2, 0].tolist() == [[2, 2], [2.5, 2.5]]
    assert np.isnan(storages.action[0, :, 1]).all()


def test_the_ledger_keeps_actions_that_are_arrays(tree_slots):
    for _ in range(SYNC_INTERVAL):
        answer_tree(tree_slots, [1])
        step(tree_slots, 1)
    tree_slots.storages.action.fill(7)  # it keeps copies
    assert tree_slots.ledger.current(1)[1].tolist() == [[[1.25, -1]]] * SYNC_INTERVAL
    assert tree_slots.ledger.current(0)[1].shape == (0, 1, 2)


def test_the_next_interval_starts_from_the_last_observation_of_a_tree(tree_slots):
    for _ in range(SYNC_INTERVAL):
        answer_tree(tree_slots, [1])
        step(tree_slots, 1)
    assert answer_tree(tree_slots, [1])[1].tolist() == [1]
    tree_slots.enter_interval([1], 1)
    questions = tree_slots.questions(np.array([1]))
    assert questions.storage.tolist() == [1]
    assert questions.observation["speed"].tolist() == [[1.5, 1.5]]
    assert (questions.observation["map"] == 1).all()


def test_players_who_take_no_part_do_not_count():
    game, step = boards.game_of_tasks(2, 0)
    made = boards.make(step, game, SYNC_INTERVAL, 1, NUM_STORAGES)
    np.testing.assert_allclose(made.task_ends, [0.5, 1.0])
    for task, there in [(0, [True, True, True]), (1, [True, False, False])]:
        place = Place(task, 0, 0, episode_over=False, task=task)
        made.ledger.move(0, place)
        over = ~np.array(there)
        result = base.StepResult(np.zeros(3), np.zeros(3), over, np.zeros(3, bool))
        made.begin_step(0, place)
        place = made.end_step(0, place, result)
        assert place == Place(task, 1, 1, episode_over=False, task=task)
        made.begin_step(0, place)
        made.end_step(0, place, result)
        assert made.storages.counts[0, :, 0].tolist() == [there, there]
        assert (made.storages.task[0, :, 0] == task).all()


def test_what_an_agent_remembers_is_told_by_its_names():
    """In whatever order the network gives it."""
    state = {"memory": PAIR, "carry": PAIR}
    slots = begin_episodes(make(rollouts.step_spec(GAME, DISCRETE.policy, state)))
    questions = slots.questions(np.array([1]))
    after = {"carry": np.full((1, 2), 3.0), "memory": np.full((1, 2), 7.0)}
    policy = {"logits": np.zeros((1, 3), np.float32)}
    answered = rollouts.Answer(np.zeros(1, np.uint8), policy, np.zeros(1, np.float32), after)
    slots.answer(questions, answered)
    stored = trees.map(lambda array: array[0, 1, 1, 0].tolist(), slots.storages.state)
    assert stored == {"memory": [7.0, 7.0], "carry": [3.0, 3.0]}
