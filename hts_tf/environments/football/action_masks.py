"""Which actions make sense for a player.

Sprinting that goes on and what is not held down need not be begun or released: the engine does
nothing then, so nothing is lost (tests compare). It does take a kick by a player who is away from
the ball, and remembers it for a while, should the ball come; and it lets anyone slide. Public
agents do without these, as most of them are wasted, and so does a policy with masks: all that it
gives up are first-time kicks of a ball that comes from further away.

A policy that begins to learn shoots from anywhere, loses the ball by it, and soon shoots no more,
not even before the goal. So shots may be kept to where goals come of them. There, first-time
shots may be given back, as headers after a corner are.
"""

from hts_tf.environments.football.sides import Side

NUM_ACTIONS = 19

# Of gfootball's default action set.
_LONG_PASS, _HIGH_PASS, _SHORT_PASS, _SHOT = _KICKS = range(9, 13)
_SPRINT, _RELEASE_DIRECTION, _RELEASE_SPRINT, _SLIDING, _DRIBBLE, _RELEASE_DRIBBLE = range(13, 19)
_STICKY_SPRINT, _STICKY_DRIBBLE = 8, 9

_REACH = 0.06  # in gfootball's units: 3.3 m along the pitch, 5.0 m across
# The area in front of the goal: from this x on, and so far from the middle.
_FRONT, _SIDE = 0.64, 0.27


def encode(side: Side, shots_in_front: bool = False, first_time_shots: bool = False) -> list[bytes]:
    """Returns which actions are permitted, 19 bools for each controlled player.

    All but:
    - Passes, shot and dribble, unless the ball is within reach.
    - Sliding, if the own team has the ball or it is out of reach.
    - Sprint and dribble, if they are on; their releases, if they are not; the release of the
      direction, if there is none.
    - With `shots_in_front`, shots unless the ball is in front of the goal (x from 0.64 to 1, y from
      -0.27 to 0.27), long and high passes if it is.

    With `first_time_shots`, shots in front of the goal are permitted out of reach, too, while
    nobody has the ball.
    """
    ball = side.ball()
    is_in_front = ball[0] >= _FRONT and abs(ball[1]) <= _SIDE
    is_coming = first_time_shots and side.ball_owner == -1
    masks = []
    for index, player in enumerate(side.active):
        sticky = side.sticky(index)
        is_near = side.has_ball(player) or _is_near(side, player, ball)
        mask = [True] * NUM_ACTIONS
        for kick in _KICKS:
            mask[kick] = is_near
        if shots_in_front:
            mask[_SHOT] = (is_near or is_coming) and is_in_front
            mask[_LONG_PASS] = mask[_HIGH_PASS] = is_near and not is_in_front
        mask[_SLIDING] = is_near and side.ball_owner != 0
        mask[_SPRINT] = not sticky[_STICKY_SPRINT]
        mask[_RELEASE_SPRINT] = sticky[_STICKY_SPRINT]
        mask[_DRIBBLE] = is_near and not sticky[_STICKY_DRIBBLE]
        mask[_RELEASE_DRIBBLE] = sticky[_STICKY_DRIBBLE]
        mask[_RELEASE_DIRECTION] = any(sticky[:_STICKY_SPRINT])
        masks.append(bytes(mask))
    return masks


def _is_near(side: Side, player: int, ball: tuple[float, float]) -> bool:
    if player == -1:
        return False
    x, y = side.position(player)
    return (x - ball[0]) ** 2 + (y - ball[1]) ** 2 <= _REACH**2
