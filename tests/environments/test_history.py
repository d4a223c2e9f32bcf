import os

import pytest

from hts_tf import errors
from hts_tf.environments import checked, history
from tests.environments.games_with_history import Crashing, Game

SEEDS = [2, 4]


def find_out(fault, **options):
    game = Game(3, 5, fault=fault, parent=os.getpid())
    return history.find_out(game, SEEDS, **options)


def test_a_sound_game():
    found = find_out("")
    assert found.differences == []
    assert found.seeds_matter
    assert [played.seed for played in found.played] == [2, 4, 2, 2, 4]
    assert [len(played.actions) for played in found.played] == [5, 5, 2, 5, 5]
    assert [played.has_ended for played in found.played] == [True, True, False, True, True]
    for played in found.played:
        assert len(played.moments) == len(played.seconds) == len(played.actions) + 1


def test_a_game_that_its_seed_does_not_change():
    found = find_out("seed")
    assert (found.differences, found.seeds_matter) == ([], False)


USED, FRESH, COPIED, BESIDE, ELSEWHERE = history.WAYS


@pytest.mark.parametrize(
    ("fault", "differences"),
    [
        # Of the first episode, which was played in a new environment, or else of the second.
        (
            "reset",
            [
                (USED, 0, None, "observation/light"),
                *(
                    (way, 1, None, "observation/light")
                    for way in (FRESH, COPIED, BESIDE, ELSEWHERE)
                ),
            ],
        ),
        ("left", [(USED, 0, 2, "score")]),
        ("lucky", [(way, 0, 1, "reward") for way in (FRESH, COPIED, BESIDE, ELSEWHERE)]),
        ("told", [(way, 0, 4, "figures") for way in (FRESH, COPIED, BESIDE, ELSEWHERE)]),
        # As long as nobody else draws, it is as good as a generator of its own.
        ("global", [(BESIDE, 0, 0, "reward")]),
    ],
)
def test_what_a_game_remembers(fault, differences):
    assert find_out(fault).differences == differences


def test_a_game_that_is_another_one_in_another_process():
    """There it prints, too, which is not mixed with its answer."""
    assert find_out("process").differences == [(ELSEWHERE, 0, 1, "reward")]


def test_long_episodes_are_broken_off():
    found = find_out("", max_steps=2)
    assert [len(played.actions) for played in found.played] == [2, 2, 1, 2, 2]
    assert not any(played.has_ended for played in found.played)


def test_an_episode_that_is_longer_than_the_spec_says():
    with pytest.raises(checked.ProtocolError, match=r"in env step 5 .*goes on after 5 env steps"):
        find_out("endless")
    assert not find_out("endless", max_steps=5).played[0].has_ended, "it is broken off before"


def test_a_game_that_writes_to_its_actions():
    found = find_out("writes")  # they are its own
    assert not found.differences
    assert found.played[0].actions


def test_a_game_that_fails_in_another_process():
    with pytest.raises(
        errors.RunError,
        match="environment failed: that ended with exit code 7",
    ):
        history.find_out(Crashing(3, 5, parent=os.getpid()), SEEDS)
