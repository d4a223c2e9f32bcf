"""The engine with our flags and patch plays what gfootball's stock build plays, to the bit."""

import csv
from pathlib import Path

import football_trajectories
import pytest

STOCK = Path(__file__).with_name("stock_trajectories.csv")


def recorded() -> tuple[str, list[dict[str, str]]]:
    """Returns what the trajectories were recorded with, and the trajectories."""
    comment, *lines = STOCK.read_text().splitlines()
    return comment, list(csv.DictReader(lines))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", sorted({row["scenario"] for row in recorded()[1]}))
def test_trajectories_are_those_of_the_stock_build(scenario):
    comment, rows = recorded()
    library = football_trajectories.c_library()
    if not comment.endswith(f" {library}"):
        # sin, pow, ... may round differently there, in a stock build just the same.
        pytest.skip(
            f"{comment.lstrip('# ')}, but this is {library}: "
            "record it here anew (see football_trajectories.py)"
        )
    for row in rows:
        if row["scenario"] == scenario:
            reverse = row["reverse_team_processing"] == "1"
            seed, steps = int(row["seed"]), int(row["steps"])
            played = football_trajectories.trajectory_hash(scenario, reverse, seed, steps)
            assert played == row["sha256"], row


def test_hash_depends_on_everything_it_should():
    def play(scenario="academy_empty_goal_close", reverse=False, seed=1, steps=40):
        return football_trajectories.trajectory_hash(scenario, reverse, seed, steps)

    first = play()
    assert play() == first
    others = [play("academy_empty_goal"), play(reverse=True), play(seed=2), play(steps=41)]
    assert len({first, *others}) == 5
