from hts_tf.collecting.deaths import Deaths, Place

PLACE = Place(what=2, slot=0, length=3, episode=7)
NEXT = PLACE._replace(episode=8)


def counted(*places, has_history=False):
    deaths = Deaths(num_executors=2)
    return [deaths.count(0, place, has_history) for place in places]


def test_those_in_the_same_place_one_after_the_other():
    assert counted(PLACE, PLACE, PLACE) == [1, 2, 3]
    for other in (PLACE._replace(what=1), PLACE._replace(slot=1), PLACE._replace(length=4)):
        assert counted(PLACE, PLACE, other, PLACE) == [1, 2, 1, 1]


def test_elsewhere_is_no_place():
    assert counted(PLACE, None, None, PLACE, PLACE) == [1, 1, 1, 1, 2]


def test_with_history_the_next_episode_may_die_alike():
    assert counted(PLACE, NEXT, NEXT._replace(episode=9), has_history=True) == [1, 2, 3]
    assert counted(PLACE, NEXT) == [1, 1]
    assert counted(PLACE, PLACE._replace(episode=9), has_history=True) == [1, 1]


def test_each_executor_by_itself():
    deaths = Deaths(num_executors=2)
    assert [deaths.count(index, PLACE, False) for index in (0, 1, 0, 1, 1)] == [1, 1, 2, 2, 3]
    assert deaths.total == 5
