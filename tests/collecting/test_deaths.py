from hts_tf.collecting.deaths import Deaths, Spot

SPOT = Spot(what=2, slot=0, length=3, episode=7)
NEXT = SPOT._replace(episode=8)


def counted(*spots, has_history=False):
    deaths = Deaths(num_executors=2)
    return [deaths.count(0, spot, has_history) for spot in spots]


def test_those_in_the_same_place_one_after_the_other():
    assert counted(SPOT, SPOT, SPOT) == [1, 2, 3]
    for other in (SPOT._replace(what=1), SPOT._replace(slot=1), SPOT._replace(length=4)):
        assert counted(SPOT, SPOT, other, SPOT) == [1, 2, 1, 1]


def test_elsewhere_is_no_place():
    assert counted(SPOT, None, None, SPOT, SPOT) == [1, 1, 1, 1, 2]


def test_with_history_the_next_episode_may_die_alike():
    assert counted(SPOT, NEXT, NEXT._replace(episode=9), has_history=True) == [1, 2, 3]
    assert counted(SPOT, NEXT) == [1, 1]
    assert counted(SPOT, SPOT._replace(episode=9), has_history=True) == [1, 1]


def test_each_executor_by_itself():
    deaths = Deaths(num_executors=2)
    assert [deaths.count(index, SPOT, False) for index in (0, 1, 0, 1, 1)] == [1, 1, 2, 2, 3]
    assert deaths.total == 5
