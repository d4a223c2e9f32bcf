import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.environments.football import pitch
from hts_tf.environments.football.pitch import Scene

NOBODY = Scene([], [], (0.0, 0.0), 0.0, [], [])


def pixel(x, y):
    """Where a point of the engine's coordinates is, in pixels."""
    return round(472 + 8 * 54.4 * x), round(320 + 8 * 83.6 * y)


def changed(scene):
    """Pixels that are not as on a pitch with only the ball in the middle."""
    return np.any(np.asarray(pitch.draw(NOBODY)) != np.asarray(pitch.draw(scene)), axis=2).sum()


points = st.tuples(st.floats(-1.05, 1.05), st.floats(-0.44, 0.44))


@settings(max_examples=10)
@given(points, points, points)
def test_everyone_has_a_colour_in_the_right_place(left, right, ball):
    far = all(
        max(abs(a[0] - b[0]), abs(a[1] - b[1])) > 0.1
        for a, b in [(left, right), (left, ball), (right, ball)]
    )
    if not far:
        return
    image = pitch.draw(Scene([left], [right], ball, 0.0, [0], [0]))
    assert image.size == (944, 640)
    assert image.getpixel(pixel(*left)) == pitch._LEFT
    assert image.getpixel(pixel(*right)) == pitch._RIGHT
    assert image.getpixel(pixel(*ball)) == pitch._BALL


def test_y_grows_downwards():
    image = pitch.draw(Scene([(0.0, 0.4)], [(0.0, -0.4)], (0.5, 0.0), 0.0, [-1], []))
    blue = image.crop((440, 320, 500, 640)).getcolors(100_000)
    assert pitch._LEFT in [color for _, color in blue]


@pytest.mark.parametrize("side", ["left", "right"])
def test_active_players_stand_out(side):
    scene = NOBODY._replace(**{f"{side}_team": [(-0.5, 0.1), (0.5, 0.1)]})
    numbers = [
        changed(scene._replace(**{f"{side}_active": active})) for active in ([], [1], [0, 1])
    ]
    assert numbers[0] < numbers[1] < numbers[2]


@pytest.mark.parametrize("height", [1.0, 5.0])
def test_a_high_ball_is_larger(height):
    ball = (0.4, 0.2)
    low = changed(NOBODY._replace(ball=ball))
    assert changed(NOBODY._replace(ball=ball, ball_height=height)) > low


def test_the_empty_pitch_is_not_drawn_on():
    before = pitch.draw(NOBODY).tobytes()
    pitch.draw(Scene([(0.1, 0.1)], [(0.2, 0.2)], (0.3, 0.3), 1.0, [0], [0]))
    assert pitch.draw(NOBODY).tobytes() == before
