import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.opponents.roster import Kept, Roster, met_from


def test_who_is_who():
    found = Roster(["Always", "Chases", "Always"], ["runs/other"], pool_size=3)
    found.join(50)
    found.join(1000)
    assert found.names == [
        "itself",
        "Always",
        "Chases",
        "Always (2)",
        "runs/other",
        "update 50",
        "update 1,000",
    ]
    assert [found.is_scripted(number) for number in range(7)] == [False, *[True] * 3, *[False] * 3]
    assert [found.kept(n) for n in (4, 5, 6)] == [Kept(False, 0), Kept(True, 50), Kept(True, 1000)]
    assert found.has(50)
    assert not found.has(51)
    assert found.met == [1, 2, 3, 4, 5, 6]


@given(st.lists(st.integers(1, 10**6), unique=True, max_size=40).map(sorted), st.integers(1, 6))
def test_the_pool_keeps_to_its_size(updates, pool_size):
    """The newest is always in it, the oldest from two on; who has left does not come back."""
    found = Roster(["Always"], [], pool_size)
    left = set()
    for count, number in enumerate(updates, start=1):
        found.join(number)
        scripted, *snapshots = found.met
        assert scripted == 1
        assert len(snapshots) == min(count, pool_size)
        taken = [found.kept(n).number for n in snapshots]
        assert taken == sorted(taken)
        assert taken[-1] == number
        assert pool_size == 1 or taken[0] == updates[0]
        assert not left & {*snapshots}
        left |= {*range(2, 2 + count)} - {*snapshots}


def test_whom_another_machine_needs():
    found = Roster(["Always"], [], pool_size=2)
    for updates in (10, 20, 30, 40):
        found.join(updates)
    state = {**found.state(), "opponents/results": np.zeros((6, 3))}
    playing = np.array([0, 1, 3], np.int32)  # the third is the second snapshot, met for a while yet
    assert met_from({**state, "ledger/met": playing}) == [10, 20, 40]
    assert met_from({}) == []
    again = Roster(["Always"], [], pool_size=2)
    again.restore(state)
    assert (again.names, again.met) == (found.names, found.met)
