"""A match as each side sees it: as the left team, which plays to the right.

What players of the right team see is turned by half a circle, to the bit as gfootball's
`observation_rotation` does it.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import gfootball_engine

    from hts_tf.environments.football.match import FootballMatch

Point = tuple[float, float]

NUM_STICKY = 10  # actions that go on until they are released: 8 directions, sprint and dribble
_NUM_DIRECTIONS = 8


class Side(NamedTuple):
    """What one side sees, until the match goes on.

    Attributes:
      own: the players of its team.
      others: those of the other team.
      is_left: whether it really is the left one; else the field is turned.
      ball_owner: 0 if its team has the ball, 1 if the other one does, -1 for nobody.
      active: index in `own` of each player that is controlled, -1 where one has none.
      info: all else, not turned.
      match: that is played; None where nobody asks it.
    """

    own: "gfootball_engine.PlayerInfoVec"
    others: "gfootball_engine.PlayerInfoVec"
    is_left: bool
    ball_owner: int
    active: list[int]
    info: "gfootball_engine.SharedInfo"
    match: "FootballMatch | None"

    @property
    def turn(self) -> float:
        """By which directions are multiplied: -1 where the field is turned."""
        return 1.0 if self.is_left else -1.0

    def positions(self) -> tuple[list[Point], list[Point]]:
        """Returns where the players of both teams stand, the own one first."""
        return self._points(self.own), self._points(self.others)

    def position(self, player: int) -> Point:
        """Returns where a player of the own team stands."""
        return self._turned(self.own[player].position)

    def ball(self) -> Point:
        """Returns where the ball is."""
        return self._turned(self.info.ball_position)

    def has_ball(self, player: int) -> bool:
        """Returns whether a player of the own team has the ball."""
        return self.ball_owner == 0 and self.info.ball_owned_player == player

    def sticky(self, index: int) -> list[bool]:
        """Returns which of its 10 sticky actions the player active[index] does."""
        actions = self.match.sticky(self.is_left, index)
        if self.is_left:
            return actions
        half = _NUM_DIRECTIONS // 2  # they go round in a circle
        return [*actions[half:_NUM_DIRECTIONS], *actions[:half], *actions[_NUM_DIRECTIONS:]]

    def _turned(self, position: "gfootball_engine.Position") -> Point:
        x, y = position[0], position[1]
        return (x, y) if self.is_left else (-x, -y)

    def _points(self, team: "gfootball_engine.PlayerInfoVec") -> list[Point]:
        # By index: iteration ends with a C++ exception, which costs more than the players do.
        positions = [team[index].position for index in range(len(team))]
        if self.is_left:
            return [(position[0], position[1]) for position in positions]
        return [(-position[0], -position[1]) for position in positions]


def left(
    info: "gfootball_engine.SharedInfo", num_players: int, match: "FootballMatch | None" = None
) -> Side:
    """Returns what the left side sees, with so many controlled players."""
    controllers = info.left_controllers
    active = [controllers[index].controlled_player for index in range(num_players)]
    return Side(info.left_team, info.right_team, True, info.ball_owned_team, active, info, match)


def right(
    info: "gfootball_engine.SharedInfo", num_players: int, match: "FootballMatch | None" = None
) -> Side:
    """Returns what the right side sees, with so many controlled players."""
    controllers = info.right_controllers
    active = [controllers[index].controlled_player for index in range(num_players)]
    owner = info.ball_owned_team
    turned = owner if owner == -1 else 1 - owner
    return Side(info.right_team, info.left_team, False, turned, active, info, match)
