import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf.environments.football import pencil, pitch
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
    for place, color in ((left, pencil.LEFT), (right, pencil.RIGHT)):
        x, y = pixel(*place)
        assert image.getpixel((x - 8, y)) == color, "beside the number"
    assert image.getpixel(pixel(*ball)) == pencil.WHITE


def test_y_grows_downwards():
    image = pitch.draw(Scene([(0.0, 0.4)], [(0.0, -0.4)], (0.5, 0.0), 0.0, [-1], []))
    blue = image.crop((440, 320, 500, 640)).getcolors(100_000)
    assert pencil.LEFT in [color for _, color in blue]


@pytest.mark.parametrize(("side", "color"), [("left", pencil.LEFT), ("right", pencil.RIGHT)])
def test_who_is_controlled_is_filled_and_numbered_and_the_others_are_hollow(side, color):
    places = [(-0.5, 0.1), (0.5, 0.1)]
    scene = NOBODY._replace(**{f"{side}_team": places})
    for active in ([], [1], [0, 1], [-1]):
        image = pitch.draw(scene._replace(**{f"{side}_active": active}))
        for index, place in enumerate(places):
            x, y = pixel(*place)
            assert (image.getpixel((x, y)) == pencil.GRASS) is (index not in active)
            mark = image.crop((x - 6, y - 6, x + 7, y + 7))
            assert color in [color for _, color in mark.getcolors()]
            has_number = mark.convert("L").getextrema()[0] < 60  # darker than grass
            assert has_number is (index in active)


def test_numbers_tell_players_apart():
    places = [(-0.5, 0.1), (0.5, 0.1)]
    image = pitch.draw(NOBODY._replace(left_team=places, left_active=[0, 1]))
    centres = [pixel(*place) for place in places]
    marks = [image.crop((x - 9, y - 9, x + 10, y + 10)).tobytes() for x, y in centres]
    assert marks[0] != marks[1]


@pytest.mark.parametrize("active", [[], [0, 1]])
@pytest.mark.parametrize("owner", [(0, 1), (1, 0)])
def test_who_has_the_ball_is_ringed(owner, active):
    scene = Scene([(-0.5, 0.1), (0.3, 0.1)], [(0.6, -0.2)], (0.0, 0.3), 0.0, active, active)
    x, y = pixel(*[scene.left_team, scene.right_team][owner[0]][owner[1]])
    around = (x - 24, y - 24, x + 25, y + 25)
    for found in (scene, scene._replace(ball_owner=owner)):
        colors = {color for _, color in pitch.draw(found).crop(around).getcolors(10_000)}
        assert (pencil.HAS_BALL in colors) is (found is not scene)


def legend(scene):
    return pitch.draw(scene).crop((0, 610, 944, 640)).tobytes()


def test_a_legend_of_those_who_are_there():
    left, right = [(0.1, 0.1), (0.2, 0.2)], [(0.3, 0.3)]
    scenes = [
        Scene(left, [], (0.0, 0.0), 0.0, [0], []),
        Scene(left, [], (0.0, 0.0), 0.0, [0, 1], []),
        Scene(left, right, (0.0, 0.0), 0.0, [0], []),
        Scene(left, right, (0.0, 0.0), 0.0, [0], [0]),
        Scene(left, right, (0.0, 0.0), 0.0, [], [0]),
    ]
    assert len({legend(scene) for scene in scenes}) == len(scenes)
    assert legend(scenes[0]) == legend(scenes[0]._replace(left_active=[1]))


@pytest.mark.parametrize("height", [1.0, 5.0])
def test_a_high_ball_is_larger(height):
    ball = (0.4, 0.2)
    low = changed(NOBODY._replace(ball=ball))
    assert changed(NOBODY._replace(ball=ball, ball_height=height)) > low


def test_the_empty_pitch_is_not_drawn_on():
    before = pitch.draw(NOBODY).tobytes()
    pitch.draw(Scene([(0.1, 0.1)], [(0.2, 0.2)], (0.3, 0.3), 1.0, [0], [0]))
    assert pitch.draw(NOBODY).tobytes() == before


def test_who_was_sent_off_is_not_there():
    gone, there = (-0.5, 0.1), (0.5, 0.1)

    def colors_at(left_team, place):
        x, y = pixel(*place)
        box = x - 24, y - 24, x + 25, y + 25
        image = pitch.draw(NOBODY._replace(left_team=left_team)).crop(box)
        return {color for _, color in image.getcolors(10_000)}

    assert colors_at([there, gone], gone) != colors_at([there, None], gone)
    assert colors_at([there, None], gone) == colors_at([there], gone)
