import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import specs
from hts_tf.environments.football import super_mini_map
from tests.pixel_maps import to_dense

NO_PIXEL = specs.PixelMapSpec.NO_PIXEL

# The engine's positions are float32; a pitch slightly too small brings players outside and a
# choice of few positions brings them together.
anywhere = st.tuples(st.floats(-1.25, 1.25, width=32), st.floats(-0.75, 0.75, width=32))
crowd = st.sampled_from([(0.0, 0.0), (0.0078125, 0.0), (-1.0, 0.4375), (1.0, -0.5), (3.0, 3.0)])
points = anywhere | crowd
teams = st.lists(points, min_size=1, max_size=super_mini_map.MAX_TEAM_SIZE)


@given(teams, teams, points, st.integers(-1, super_mini_map.MAX_TEAM_SIZE - 1))
def test_decodes_to_gfootballs_image(left_team, right_team, ball, active):
    from gfootball.env import observation_preprocessing

    active = min(active, len(left_team) - 1)
    stock = observation_preprocessing.generate_smm(
        [
            {
                "left_team": np.array(left_team),
                "right_team": np.array(right_team),
                "ball": np.array([*ball, 0.5]),
                "active": active,
            }
        ]
    )[0]

    encoded = np.array(super_mini_map.pixels(left_team, right_team, ball, [active]), np.uint16)
    dense = to_dense(super_mini_map.spec(frames=1), encoded)

    np.testing.assert_array_equal(dense * 255, stock)
    # No plane holds a position twice: the image is the sum of its pixels.
    assert dense.sum() == np.count_nonzero(encoded != NO_PIXEL)


def test_columns():
    team = [(-1, 0), (0, 0), (0, 0)]
    nobody, first, encoded = super_mini_map.pixels(team, [(1, 0.5), (0, 0)], (0, 0), [-1, 0, 2])
    assert nobody == [*encoded[:23], NO_PIXEL]
    assert first == [*encoded[:23], 36 * 96]
    middle = 36 * 96 + 48
    assert encoded[:11] == [36 * 96, middle, *[NO_PIXEL] * 9]
    assert encoded[11:22] == [71 * 96 + 95, middle, *[NO_PIXEL] * 9]
    assert encoded[22:] == [middle, middle]


def test_spec():
    spec = super_mini_map.spec(frames=4)
    assert spec.shape == (4, 24)
    assert spec.dense_shape == (72, 96, 16)
    assert spec.dtype == "uint16"
