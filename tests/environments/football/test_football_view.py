import numpy as np
import pytest

from hts_tf import errors
from hts_tf.environments import base
from hts_tf.environments.football import football
from hts_tf.environments.football import view as football_view

TOP_LEFT, RIGHT, SHORT_PASS, SHOT = 2, 5, 11, 12
GAME = football.Football("academy_empty_goal_close")
GOAL = [RIGHT] * 10 + [SHOT] * 60


def play(environment, seed, actions):
    """One episode: all observations and results, and the pictures where there are any."""
    observation = np.zeros((4, 24), np.uint16)
    environment.reset(seed, observation)
    seen, results, scenes = [observation.copy()], [], []
    for action in actions:
        results.append(environment.step(action, observation))
        seen.append(observation.copy())
        if isinstance(environment, football_view.FootballView):
            scenes.append(environment._match.scene())
        if results[-1].terminated or results[-1].truncated:
            break
    return np.stack(seen), results, scenes


@pytest.fixture(scope="module")
def view():
    environment = GAME.watch()
    yield environment
    environment.close()


def test_football_can_be_watched(view):
    assert isinstance(GAME, base.Watchable)
    assert view.title == "academy_empty_goal_close"
    assert len({view.action_name(action) for action in range(GAME.spec.action.num_values)}) == 19
    assert view.action_name(RIGHT) == "right"
    assert view.action_name(SHOT) == "shot"
    assert view.fps == 10


def test_watching_changes_nothing(view):
    plain = GAME.make()
    for seed in (0, 1, 0):
        seen, results, _ = play(view, seed, GOAL)
        expected, expected_results, _ = play(plain, seed, GOAL)
        np.testing.assert_array_equal(seen, expected)
        assert results == expected_results
    plain.close()


def test_a_goal_is_seen_with_the_ball_in_the_net(view):
    _, results, scenes = play(view, 0, GOAL)
    assert results[-1].score == 1
    x, y = scenes[-1].ball
    assert x > 1.0, "behind the line, not on the kick-off spot"
    assert abs(y) < 3.7 / 83.6 + 0.01, "between the posts"


def test_pictures_show_what_happens(view):
    observation = np.zeros((4, 24), np.uint16)
    view.reset(0, observation)
    before = view.picture()
    assert before.mode == "RGB"
    for _ in range(5):
        view.step(RIGHT, observation)
    after = view.picture()
    assert after.size == before.size
    assert after.tobytes() != before.tobytes()


def doings(environment):
    return [tuple(doing) for doing in environment.doings()]


def test_what_each_of_several_players_does_is_below_the_pitch():
    game = football.Football("5_vs_5", left_players=2, right_players="all", frames=1)
    view = game.watch()
    observation = game.spec.new_observation()
    view.reset(3, observation)
    before = doings(view)
    assert [is_left for is_left, *_ in before] == [True] * 2 + [False] * 4
    assert all(not action for _, _, action, _ in before)
    assert [number for _, number, *_ in before[2:]] == ["2", "3", "4", "5"], "not the goalkeeper"
    view.step(np.array([RIGHT, SHOT, RIGHT, TOP_LEFT, 0, SHOT]), observation)
    after = doings(view)
    actions = [action for _, _, action, _ in after]
    # The right team's directions are turned, as they see the pitch turned.
    assert actions == ["right", "shot", "left", "bottom right", "idle", "shot"]
    assert [doing[:2] for doing in after] == [doing[:2] for doing in before], "who did it"
    assert view.action_name(np.zeros(6, int)) == "", "it is in the picture"
    assert view.picture().size[0] == 944
    assert view.picture().size[1] > 640
    view.reset(3, observation)
    assert doings(view) == before
    view.close()


def test_who_acted_is_marked_though_another_is_controlled_afterwards():
    view = football.Football("academy_3_vs_1_with_keeper", frames=1).watch()
    observation = np.zeros((1, 24), np.uint16)
    view.reset(0, observation)
    changes = 0
    for action in [SHORT_PASS] + [0] * 30:
        acting = view._sides[0].active
        if view.step(action, observation).is_over:
            break
        assert view._match.scene().left_active == acting
        changes += view._sides[0].active != acting
    assert changes, "whoever gets the pass is controlled"
    view.close()


def test_directions_of_a_single_player_on_the_right_are_as_in_the_picture():
    view = football.Football("5_vs_5", left_players=0, right_players=1).watch()
    assert view.action_name(RIGHT) == "left"
    assert view.action_name(SHOT) == "shot"
    view.close()


def test_who_has_the_ball():
    game = football.Football("academy_empty_goal_close")
    view = game.watch()
    observation = game.spec.new_observation()
    view.reset(0, observation)
    for _ in range(8):
        view.step(RIGHT, observation)
    scene = view._match.scene()
    team, player = scene.ball_owner
    assert team == 0
    assert player in scene.left_active
    view.close()


def test_a_renderer_that_cannot_run_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(football_view.sys, "executable", "/bin/false")
    with pytest.raises(errors.ConfigError, match="needs OpenGL through EGL"):
        GAME.watch(render=True)
