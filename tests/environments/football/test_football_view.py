import numpy as np
import pytest

from hts_tf import errors
from hts_tf.environments import base
from hts_tf.environments.football import football
from hts_tf.environments.football import view as football_view

RIGHT, SHOT = 5, 12
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
            scenes.append(environment._match._scene())
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


def test_a_renderer_that_cannot_run_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(football_view.sys, "executable", "/bin/false")
    with pytest.raises(errors.ConfigError, match="needs OpenGL through EGL"):
        GAME.watch(render=True)
