"""Who is on which side of a game, and by how much a side is ahead."""

from collections.abc import Collection, Sequence

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

    def scores(self, reward: np.ndarray, there: Collection[str]) -> np.ndarray:
        """Returns scores [P]: of two sides, by how much each is ahead of the other, halved.

        Args:
          reward: [P].
          there: who took part in the env step. Whoever has left has no score, so those who are
            there have theirs, too.
        """
        if not self.num_rivals:
            return reward
        is_there = np.array([agent in there for agent in self.agents])
        own, rivals = slice(-self.num_rivals), slice(-self.num_rivals, None)
        ahead = (reward[own].mean() - reward[rivals].mean()) / 2
        sides = (ahead, is_there[own]), (-ahead, is_there[rivals])
        return np.concatenate([score * of / max(of.mean(), 1 / len(of)) for score, of in sides])
