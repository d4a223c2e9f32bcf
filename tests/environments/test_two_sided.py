import pytest

from hts_tf import errors
from hts_tf.environments.football.football import Football
from hts_tf.environments.synthetic import Synthetic
from hts_tf.environments.tasks import Tasks
from hts_tf.environments.two_sided import against, two_sided


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


def test_gfootballs_ai_has_the_whole_right_team():
    game = Football("5_vs_5", left_players=3, right_players=3, left_difficulty=1.0)
    found = against(Tasks((game, game)), "AI 0.3")
    for task in found.environments:
        assert task.players == (3, 0)
        assert (task.left_difficulty, task.right_difficulty) == (1.0, 0.3)
    assert found.spec.num_rivals == 0
    assert against(game, "runs/a@3") is game


@pytest.mark.parametrize("game", [Synthetic(), Football("5_vs_5", left_players=0, right_players=2)])
def test_who_cannot_play_it(game):
    with pytest.raises(errors.ConfigError, match=r"AI 0\.3 is of football, and of its right team"):
        against(game, "AI 0.3")
