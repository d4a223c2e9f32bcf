"""Who is on which side of a game, and by how much a side is ahead."""

from collections.abc import Sequence

import numpy as np

from hts_tf import errors


class TwoTeams:
    """The agents of a game, one side after the other; there may be one side only.

    Attributes:
      agents: our own, in the game's order, and then the rivals.
      numbers: which of the game's possible agents each of these is.
      places: of each agent among these, in the game's order.
      num_rivals: how many, the last ones, are rivals.
    """

    def __init__(self, possible: Sequence[str], rivals: Sequence[str]) -> None:
        """Tells them apart.

        Args:
          possible: the game's agents.
          rivals: those on the other side.

        Raises:
          ConfigError: there are no such rivals, or nobody else.
        """
        unknown = [name for name in rivals if name not in possible]
        if unknown or len(set(rivals)) < len(rivals):
            which = f"there is no agent {unknown[0]!r}" if unknown else "one is named twice"
            raise errors.ConfigError(
                f"PettingZoo.rivals = {rivals!r}: {which}; "
                f"there are {', '.join(map(str, possible))}",
                page="teams.md#opponents",
            )
        own = [agent for agent in possible if agent not in rivals]
        if not own:
            raise errors.ConfigError(
                "PettingZoo.rivals has all agents: nobody would learn", page="teams.md#opponents"
            )
        self.agents = [*own, *rivals]
        self.numbers = [possible.index(agent) for agent in self.agents]
        self.places = {agent: self.agents.index(agent) for agent in possible}
        self.num_rivals = len(rivals)
        self._signs = np.repeat([1.0, -1.0], [len(own), len(rivals)])

    def scores(self, reward: np.ndarray) -> np.ndarray:
        """Returns scores [P]: of two sides, by how much each is ahead of the other, halved.

        Also while nobody of a side is there any more: what the other gains then decides, too.

        Args:
          reward: [P], 0 of whoever has left.
        """
        if not self.num_rivals:
            return reward
        ahead = (reward[: -self.num_rivals].mean() - reward[-self.num_rivals :].mean()) / 2
        return ahead * self._signs
