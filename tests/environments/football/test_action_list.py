import numpy as np
import pytest

from hts_tf.environments.football import action_list, pencil
from hts_tf.environments.football.action_list import Doing

WIDTH = 944
LONGEST = "release direction"


def team(is_left, count, action="right"):
    return [Doing(is_left, str(n + 1), action, has_ball=False) for n in range(count)]


def colors(image):
    return {color for _, color in image.getcolors(image.width * image.height)}


@pytest.mark.parametrize(("left", "right"), [(3, 0), (0, 3), (4, 4), (11, 11), (11, 3)])
def test_each_team_has_its_place(left, right):
    image = action_list.draw(WIDTH, team(True, left) + team(False, right))
    assert image.width == WIDTH
    assert image.height % 2 == 0
    halves = [image.crop((0, 0, 472, image.height)), image.crop((472, 0, WIDTH, image.height))]
    assert (pencil.LEFT in colors(image)) is bool(left)
    assert (pencil.RIGHT in colors(image)) is bool(right)
    if left and right:
        assert pencil.RIGHT not in colors(halves[0])
        assert pencil.LEFT not in colors(halves[1])


@pytest.mark.parametrize(("left", "right"), [(11, 0), (4, 4), (11, 11)])
def test_the_longest_actions_do_not_touch_what_is_beside_them(left, right):
    image = action_list.draw(WIDTH, team(True, left, LONGEST) + team(False, right, LONGEST))
    ink = np.asarray(image.convert("L")) > 40
    # Between columns, from top to bottom, there is nothing.
    empty = "".join("x" if column.any() else " " for column in ink.T)
    columns = [len(part) for part in empty.strip().split("   ") if part.strip()]
    assert max(columns) < WIDTH / 6
    assert not ink[:, -8:].any()
    assert not ink[0].any()
    assert not ink[-1].any()


def test_actions_and_the_ball_are_shown():
    quiet = team(True, 4)
    other = [*quiet[:3], quiet[3]._replace(action="shot")]
    ball = [*quiet[:3], quiet[3]._replace(has_ball=True)]
    images = [action_list.draw(WIDTH, doings) for doings in (quiet, other, ball)]
    assert len({image.tobytes() for image in images}) == 3
    assert len({image.size for image in images}) == 1, "frames of a video are of one size"
    assert [pencil.HAS_BALL in colors(image) for image in images] == [False, False, True]
