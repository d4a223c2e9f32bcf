"""A league's members: which runs there are, and whom each of them meets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ALL_MEET = ("Trainer.opponents = @Opponents()", "Opponents.weighting = @prioritised")


class Member(NamedTuple):
    """A run of the league.

    Attributes:
      name: of its workdir in the league's directory.
      meets: names of other members.
      begins_as: the name of another, or None.
      exploits: whether it plays only those that it meets.
    """

    name: str
    meets: Sequence[str]
    begins_as: str | None
    exploits: bool = False

    def bindings(self, directory: Path) -> Iterator[str]:
        """Yields what gin is told of it alone; the members' workdirs are in that directory."""
        yield f"Opponents.frozen = {[str(directory / name) for name in self.meets]!r}"
        if self.begins_as:
            yield f"Trainer.start_from = {str(directory / self.begins_as)!r}"
        if self.exploits:
            yield "Opponents.self_play = 0.0"
            yield "Opponents.scripted = ()"
            yield "Opponents.snapshot_every_updates = None"


def members(generations: int) -> Iterator[Member]:
    """Yields the league's runs, in the order in which they are made."""
    before: list[str] = []
    main = None
    for generation in range(1, generations + 1):
        main, begins_as = f"main-{generation}", main
        yield Member(main, tuple(before), begins_as)
        if generation < generations:
            exploiter = f"exploiter-{generation}"
            yield Member(exploiter, (main,), main, exploits=True)
            before += [main, exploiter]
