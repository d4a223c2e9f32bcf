import pytest

from hts_tf import errors
from hts_tf.environments.football import ai
from hts_tf.environments.football.football import Football


@pytest.mark.parametrize("number", [0.0, 0.05, 0.6, 1.0, 0.1234567])
def test_it_is_found_by_its_name(number):
    assert ai.difficulty(ai.name(number)) == number


@pytest.mark.parametrize("opponent", ["runs/a", "AIs@4", "itself", "0.05", "AI runs/a", "AI "])
def test_others_are_no_ai(opponent):
    assert ai.difficulty(opponent) is None


@pytest.mark.parametrize("opponent", ["AI 1.5", "AI -1", "AI nan", "AI inf"])
def test_there_is_no_such_difficulty(opponent):
    with pytest.raises(errors.ConfigError, match=r"a difficulty from 0 to 1, such as 'AI 0\.05'"):
        ai.difficulty(opponent)


def test_it_is_called_as_people_write_it():
    assert [ai.name(number) for number in (0.0, 0.05, 1.0)] == ["AI 0", "AI 0.05", "AI 1"]


def test_it_takes_the_place_of_a_team():
    game = Football("5_vs_5", left_players=2, right_players=2, left_difficulty=0.7)
    left, right = ai.on_the_left(game, 0.3), ai.on_the_right(game, 0.3)
    assert (left.players, left.left_difficulty, left.right_difficulty) == ((0, 2), 0.3, None)
    assert (right.players, right.left_difficulty, right.right_difficulty) == ((2, 0), 0.7, 0.3)
