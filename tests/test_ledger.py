import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import ledger


def make(num_envs=2, max_episode_steps=3):
    fields = ledger.fields(num_envs, max_episode_steps)
    return ledger.Ledger({name: np.zeros(*field) for name, field in fields.items()})


def test_starts_in_episode_0_with_nothing_played():
    episode, actions = make().current(1)
    assert episode == 0
    assert actions.tolist() == []


def test_append_and_next_episode_touch_one_slot():
    book = make()
    book.append(1, 7)
    book.append(1, 255)
    book.append(0, 4)
    assert book.current(1)[1].tolist() == [7, 255]
    book.next_episode(1)
    assert book.current(1)[0] == 1
    assert book.current(1)[1].tolist() == []
    assert book.current(0)[0] == 0
    assert book.current(0)[1].tolist() == [4]


def test_an_episode_longer_than_the_spec_says_is_an_error():
    book = make(max_episode_steps=3)
    for action in range(3):
        book.append(0, action)
    with pytest.raises(IndexError):
        book.append(0, 3)
    assert book.current(0)[1].tolist() == [0, 1, 2]
    assert book.current(1)[1].tolist() == []


def test_current_is_a_copy():
    book = make()
    book.append(0, 5)
    _, actions = book.current(0)
    book.next_episode(0)
    book.append(0, 6)
    assert actions.tolist() == [5]
    actions[0] = 9
    assert book.current(0)[1].tolist() == [6]


def test_whoever_maps_the_same_arrays_sees_the_same_ledger():
    book = make()
    other = ledger.Ledger(book.arrays)
    book.append(0, 5)
    assert other.current(0)[1].tolist() == [5]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 255) | st.none()), max_size=40))
def test_against_lists(events):
    book = make(num_envs=3, max_episode_steps=40)
    episodes = [[[]] for _ in range(3)]
    for slot, action in events:
        if action is None:
            book.next_episode(slot)
            episodes[slot].append([])
        else:
            book.append(slot, action)
            episodes[slot][-1].append(action)
    for slot in range(3):
        episode, actions = book.current(slot)
        assert episode == len(episodes[slot]) - 1
        assert actions.tolist() == episodes[slot][-1]
