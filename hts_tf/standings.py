"""What came of a tournament: a table of points and goals, ratings with intervals, a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hts_tf import errors
from hts_tf.opponents import ratings
from hts_tf.system import outputs, whole

_SO_FAR = "_matches_so_far.csv"
_TOURNAMENT = "tournament"  # its column that says which one


class Match(NamedTuple):
    """What two have played, the first on the left.

    Attributes:
      left: its number among the participants.
      right: the same of the other.
      wins: of the left one.
      draws: of both.
      losses: of the left one.
      goals_for: the left one's.
      goals_against: the right one's.
    """

    left: int
    right: int
    wins: int
    draws: int
    losses: int
    goals_for: float
    goals_against: float


class Row(NamedTuple):
    """What a participant has come to.

    Attributes:
      participant: its name.
      rating: see `ratings.bradley_terry`.
      low: of the rating's 95 % interval.
      high: the same.
      points: 1 for a win, 0.5 for a draw.
      matches: as many points could have been made.
      wins: how many.
      draws: the same.
      losses: the same.
      goals_for: its own.
      goals_against: those of the others.
    """

    participant: str
    rating: float
    low: float
    high: float
    points: float
    matches: int
    wins: int
    draws: int
    losses: int
    goals_for: float
    goals_against: float


def points(matches: Sequence[Match], count: int) -> np.ndarray:
    """Returns what each has scored against each, [count, count]: 1 for a win, 0.5 for a draw."""
    table = np.zeros((count, count))
    for match in matches:
        table[match.left, match.right] += match.wins + 0.5 * match.draws
        table[match.right, match.left] += match.losses + 0.5 * match.draws
    return table


def rows(names: Sequence[str], matches: Sequence[Match], anchor: int | None = None) -> list[Row]:
    """Returns what all have come to, the highest rating first.

    Args:
      names: of the participants, by number.
      matches: in any order.
      anchor: the number of whose rating is to be 0, see `ratings.bradley_terry`.
    """
    found = ratings.bradley_terry(points(matches, len(names)), anchor)
    numbers = np.zeros((len(names), 5))
    for match in matches:
        wins, draws, losses, goals_for, goals_against = match[2:]
        numbers[match.left] += wins, draws, losses, goals_for, goals_against
        numbers[match.right] += losses, draws, wins, goals_against, goals_for
    table = []
    for number in np.argsort(-found.rating, kind="stable"):
        wins, draws, losses = (int(n) for n in numbers[number, :3])
        rating = (float(array[number]) for array in found)
        scored, played = wins + 0.5 * draws, wins + draws + losses
        goals = numbers[number, 3:].tolist()
        table.append(Row(names[number], *rating, scored, played, wins, draws, losses, *goals))
    return table


def write(output: Path, table: Sequence[Row]) -> None:
    """Writes OUTPUT.csv and OUTPUT.png.

    Raises:
      ConfigError: `--output` cannot be written.
    """
    cells = [
        (row.participant, *(f"{number:.1f}" for number in row[1:4]), *_plain(row[4:]))
        for row in table
    ]
    with whole.refusing("--output"):
        output.parent.mkdir(parents=True, exist_ok=True)
        whole.write_csv(_beside(output, ".csv"), Row._fields, cells)
        _draw(_beside(output, ".png"), table)


def check(output: Path) -> None:
    """Raises: ConfigError: `--output` cannot be written, or something else is there."""
    if output.suffix in (".csv", ".png"):
        raise errors.ConfigError(f"--output={output}: leave out the ending {output.suffix}")
    outputs.check_table(output, _beside(output, ".csv"), Row._fields, "a tournament")
    matches = _beside(output, "_matches.csv")
    outputs.check_table(output, matches, Match._fields, "a tournament's matches")
    outputs.prepare(_beside(output, _SO_FAR), "--output")


def write_matches(
    output: Path, names: Sequence[str], matches: Sequence[Match], is_over: bool, tournament: str
) -> None:
    """Writes OUTPUT_matches.csv; until the last match is over, OUTPUT_matches_so_far.csv.

    So what is there of a tournament before stays whole.

    Args:
      output: of the command.
      names: of the participants, by number.
      matches: that have been played.
      is_over: whether these are all.
      tournament: see `played`.

    Raises:
      ConfigError: `--output` cannot be written.
    """
    so_far = _beside(output, _SO_FAR)
    with whole.refusing("--output"):
        output.parent.mkdir(parents=True, exist_ok=True)
        if is_over:
            rounded = [(names[m.left], names[m.right], *_plain(m[2:])) for m in matches]
            whole.write_csv(_beside(output, "_matches.csv"), Match._fields, rounded)
            so_far.unlink(missing_ok=True)
        else:
            exact = [(names[m.left], names[m.right], *m[2:], tournament) for m in matches]
            whole.write_csv(so_far, (*Match._fields, _TOURNAMENT), exact)


def played(output: Path, names: Sequence[str], tournament: str) -> list[Match]:
    """Returns the matches that `write_matches` has kept of a tournament that was not over.

    Args:
      output: of the command.
      names: of the participants, by number.
      tournament: by which it is known: another one has other matches.
    """
    try:
        with _beside(output, _SO_FAR).open(encoding="utf-8", newline="") as file:
            kept = [*csv.DictReader(file)]
        numbers = {name: number for number, name in enumerate(names)}
        return [
            Match(
                numbers[row["left"]],
                numbers[row["right"]],
                *(int(row[name]) for name in ("wins", "draws", "losses")),
                *(float(row[name]) for name in ("goals_for", "goals_against")),
            )
            for row in kept
            if row[_TOURNAMENT] == tournament
        ]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):  # none, or somebody else's
        return []


def text(table: Sequence[Row]) -> str:
    """Returns the table, for a screen."""
    head = f"{'rating':>8}{'95 % interval':>18}{'points':>14}{'W/D/L':>12}{'goals':>12}"
    lines = [head]
    for row in table:
        interval = f"{row.low:.0f} to {row.high:.0f}" if row.low < row.high else "fixed"
        scored = f"{row.points:g} / {row.matches}"
        ended = f"{row.wins}/{row.draws}/{row.losses}"
        goals = f"{row.goals_for:.12g}:{row.goals_against:.12g}"
        lines.append(
            f"{row.rating:8.0f}{interval:>18}{scored:>14}{ended:>12}{goals:>12}  {row.participant}"
        )
    return "\n".join(lines)


def _plain(numbers: Sequence[float]) -> list[str]:
    return [f"{number:.12g}" for number in numbers]


def _beside(output: Path, ending: str) -> Path:
    return output.with_name(output.name + ending)


def _draw(path: Path, table: Sequence[Row]) -> None:
    from hts_tf.watching import picture

    rating, low, high = (np.array(numbers) for numbers in list(zip(*table, strict=True))[1:4])
    places = np.arange(len(table))[::-1]
    longest = max(len(row.participant) for row in table)
    size = 7 + 0.085 * longest, 1.2 + 0.32 * len(table)  # inches: names are on one line each
    figure, axis = picture.plt.subplots(figsize=size, layout="constrained")
    axis.axvline(0, color="0.7", linewidth=1, zorder=0)
    axis.errorbar(rating, places, xerr=(rating - low, high - rating), fmt="o", capsize=3)
    axis.set_yticks(places, [row.participant for row in table])
    axis.set_ylim(-0.6, len(table) - 0.4)
    axis.set_xlabel("rating (Elo points, Bradley-Terry, 95 % interval)")
    axis.grid(axis="x", alpha=0.3)
    results = axis.secondary_yaxis("right")
    results.set_yticks(
        places,
        [
            f"{row.points:g} / {row.matches} points, "
            f"{row.goals_for:.12g}:{row.goals_against:.12g} goals"
            for row in table
        ],
    )
    results.tick_params(length=0)
    picture.write(path, figure)
