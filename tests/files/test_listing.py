import math

import pytest

from hts_tf import errors
from hts_tf.files import listing
from hts_tf.files.archive import Record


def record(env=0, interval=0, score=0.0, episode_return=0.0, length=1):
    return Record(env, 0, 2, interval, score, episode_return, bytes(length))


RECORDS = [
    record(env=0, interval=0, score=1, episode_return=1.5, length=9),
    record(env=1, interval=2, score=1, episode_return=2.0000001, length=8),
    record(env=0, interval=3, score=1, episode_return=2, length=7),
    record(env=0, interval=3, score=-1, episode_return=0, length=5),
    record(env=1, interval=4, score=-1, episode_return=0, length=6),
    record(env=2, interval=4, score=math.nan, episode_return=math.nan, length=1),
]


@pytest.mark.parametrize(
    ("choice", "number"),
    [
        ({}, 5),
        ({"episode": 0}, 0),
        ({"episode": 5}, 5),
        ({"best": True}, 2),  # of those of the highest return, rounding apart, the shortest
        ({"worst": True}, 4),
        ({"update": 1, "env": 0}, 0),
        ({"update": 2, "env": 0}, 2),  # it went on through the intervals of updates 2 and 3
        ({"update": 4, "env": 0}, 2),  # two ended in it: the one that it began with
        ({"update": 1, "env": 1}, 1),
        ({"update": 4, "env": 1}, 4),
    ],
)
def test_choices(choice, number):
    assert listing.choose(RECORDS, **choice) == number


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"episode": 6}, "--episode=6 is not in the archive: its last is 5"),
        ({"update": 5, "env": 0}, "environment 0 has finished no episode since"),
        ({"update": 1, "env": 7}, "--env=7 is not in the archive: its last is 2"),
        ({"update": 1}, "--update and --env choose an episode together"),
        ({"env": 1}, "--update and --env choose an episode together"),
        ({"best": True, "worst": True}, "choose one"),
        ({"best": True, "episode": 0}, "choose one"),
        ({"update": 1, "env": 1, "worst": True}, "choose one"),
    ],
)
def test_choices_that_are_none(choice, message):
    with pytest.raises(errors.ConfigError) as error:
        listing.choose(RECORDS, **choice)
    assert message in str(error.value)


@pytest.mark.parametrize(("missing", "update"), [(range(0, 3), 1), (range(3, 5), 4)])
def test_what_was_played_while_nothing_was_archived_is_not_another_episode(missing, update):
    records = [record(interval=n)._replace(episode=n) for n in range(7)]
    kept = [records[n] for n in range(7) if n not in missing]
    with pytest.raises(
        errors.ConfigError, match=f"lacks episodes {missing[0]} to {missing[-1]} of"
    ):
        listing.choose(kept, update=update, env=0)
    assert kept[listing.choose(kept, update=7, env=0)].episode == 6


def test_no_best_of_unknown_scores():
    with pytest.raises(errors.ConfigError, match="known score"):
        listing.choose(RECORDS[-1:], best=True)


def test_it_is_one_screen():
    text = listing.screen(RECORDS * 50)
    assert len(text.splitlines()) <= 30
    assert text.startswith("300 episodes, 1,800 env steps")


def test_it_says_whom_episodes_met_if_any_did():
    assert "against" not in listing.screen(RECORDS)
    names = ["itself", "Always", "update 400"]
    records = [record._replace(against=names[n % 3]) for n, record in enumerate(RECORDS)]
    lines = listing.screen(records).splitlines()
    assert lines[2].split()[-1] == "against"
    [shown] = [line for line in lines[3:8] if line.split()[0] == "2"]
    assert shown.endswith("  update 400")
    [shown] = [line for line in lines[3:8] if line.split()[0] == "3"]
    assert shown.endswith("  itself")
