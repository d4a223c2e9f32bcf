import pytest

from hts_tf import errors
from hts_tf.environments.football.football import Football
from hts_tf.environments.synthetic import Synthetic
from hts_tf.environments.tasks import Tasks
from hts_tf.environments.two_sided import two_sided


@pytest.mark.parametrize("players", [1, 2, "all"])
def test_football_has_as_many_on_the_other_side(players):
    found = two_sided(Football("5_vs_5", left_players=players)).spec
    assert found.num_players == 2 * found.num_rivals
    assert found.num_rivals == (4 if players == "all" else players)


def test_tasks_of_football_have_them_too():
    tasks = Tasks((Football("5_vs_5"), Football("1_vs_1_easy", left_difficulty=1.0)))
    found = two_sided(tasks)
    assert found.spec.rivals_of_tasks == (1, 1)
    assert found.environments[1].left_difficulty == 1.0
    with pytest.raises(errors.ConfigError, match="Synthetic: nobody plays on another side"):
        two_sided(Tasks((Synthetic(), Synthetic(episode_steps=3))))


def test_who_has_rivals_keeps_them():
    game = Football("5_vs_5", left_players=3, right_players=1)
    assert two_sided(game) is game


@pytest.mark.parametrize(
    ("game", "says"),
    [
        (Synthetic(), "Synthetic: nobody plays on another side"),
        (Football("5_vs_5", left_players=0, right_players=2), "Football: nobody plays on another"),
        (Football("academy_empty_goal", left_players=2), "Football.right_players"),
        (Football("academy_3_vs_1_with_keeper", left_players="all"), "Football.right_players"),
    ],
)
def test_what_has_no_other_side(game, says):
    with pytest.raises(errors.ConfigError, match=says) as error:
        two_sided(game)
    assert len(str(error.value).splitlines()) == 1
