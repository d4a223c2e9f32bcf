import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import specs
from hts_tf.collecting import ledger
from hts_tf.collecting.ledger import Place

DISCRETE = specs.DiscreteSpec(num_values=256)
PAIR = specs.ArraySpec((2,), "float32")


def make(num_envs=2, max_episode_steps=3, action=DISCRETE):
    fields = ledger.fields(num_envs, max_episode_steps, action)
    book = ledger.Ledger({name: np.zeros(*field) for name, field in fields.items()})
    book.clear()
    return book


def play(book, slot, action):
    """Moves a slot one env step on."""
    place = book.place(slot)
    book.write_action(slot, place.length, action)
    book.move(slot, place._replace(length=place.length + 1, step=place.step + 1))


def begin_episode(book, slot):
    place = book.place(slot)
    book.move(slot, Place(place.episode + 1, 0, place.step, False))


def played(book, slot):
    return book.current(slot)[1][:, 0].tolist()  # of the only player


def test_starts_before_the_first_episode():
    book = make()
    assert book.place(1) == Place(episode=-1, length=0, step=0, episode_over=True)
    assert played(book, 1) == []
    assert book.version.tolist() == [0, 0]


def test_a_move_touches_one_slot():
    book = make()
    book.move(1, Place(4, 3, 2, True))
    assert book.place(1) == Place(4, 3, 2, True)
    assert book.place(0).episode == -1
    assert book.version.tolist() == [0, 1]


def test_an_action_counts_from_the_next_move_on():
    book = make()
    begin_episode(book, 0)
    book.write_action(0, 0, 7)
    assert played(book, 0) == []
    assert book.attempted(0, 1)[:, 0].tolist() == [7]
    book.write_action(0, 0, 8)  # by the one who does it again
    book.move(0, Place(0, 1, 1, False))
    assert played(book, 0) == [8]


def test_who_dies_in_the_middle_of_a_move_has_not_moved():
    book = make()
    book.move(0, Place(1, 1, 1, False))
    spare = 1 - (book.version[0] & 1)
    book.arrays["record"][spare, 0] = 9  # written, but the version is not
    assert book.place(0) == Place(1, 1, 1, False)
    book.move(0, Place(1, 2, 2, False))
    assert book.place(0) == Place(1, 2, 2, False)


def test_places_of_several_slots_are_those_of_each():
    book = make(num_envs=3)
    book.move(0, Place(1, 2, 3, True))
    book.move(2, Place(4, 5, 6, False))
    book.move(2, Place(4, 6, 7, False, task=3))
    slots = np.array([2, 0])
    for i, place in enumerate(zip(*book.places(slots), strict=True)):
        assert place == book.place(slots[i])
    assert book.places(slots).episode_over.dtype == bool


def test_an_episode_longer_than_the_spec_says_is_an_error():
    book = make(max_episode_steps=3)
    begin_episode(book, 0)
    for action in range(3):
        play(book, 0, action)
    with pytest.raises(IndexError):
        play(book, 0, 3)
    assert played(book, 0) == [0, 1, 2]
    assert played(book, 1) == []


@pytest.mark.parametrize(("action", "shape"), [(DISCRETE, ()), (PAIR, (2,))])
def test_actions_are_as_their_spec_says(action, shape):
    book = make(action=action)
    assert book.arrays["action"].shape == (2, 3, 1, *shape)
    assert book.arrays["action"].dtype == action.dtype
    assert book.current(1)[1].shape == (0, 1, *shape)


def test_an_action_that_is_an_array_is_copied():
    book = make(max_episode_steps=2, action=PAIR)
    begin_episode(book, 1)
    action = np.zeros(2, np.float32)
    for number in (0.5, 1.5):
        action[:] = number, -number
        play(book, 1, action)
    action[:] = 9
    assert played(book, 1) == [[0.5, -0.5], [1.5, -1.5]]
    assert played(book, 0) == []
    with pytest.raises(IndexError):
        play(book, 1, action)


def test_current_is_a_copy():
    book = make()
    play(book, 0, 5)
    _, actions = book.current(0)
    begin_episode(book, 0)
    play(book, 0, 6)
    assert actions.tolist() == [[5]]
    actions[0] = 9
    assert played(book, 0) == [6]


def test_whoever_maps_the_same_arrays_sees_the_same_ledger():
    book = make()
    other = ledger.Ledger(book.arrays)
    play(book, 0, 5)
    assert played(other, 0) == [5]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 255) | st.none()), max_size=40))
def test_against_lists(events):
    book = make(num_envs=3, max_episode_steps=40)
    for slot in range(3):
        begin_episode(book, slot)
    episodes = [[[]] for _ in range(3)]
    for slot, action in events:
        if action is None:
            begin_episode(book, slot)
            episodes[slot].append([])
        else:
            play(book, slot, action)
            episodes[slot][-1].append(action)
    for slot in range(3):
        place, actions = book.current(slot)
        assert place.episode == len(episodes[slot]) - 1
        assert actions[:, 0].tolist() == episodes[slot][-1]
