"""The poster's table says what the files beside it say."""

import collections
import csv
import re

import numpy as np
import pytest

from hts_tf.files.curves import TARGETS, Curve
from tests import command_line

RESULTS = command_line.ROOT / "docs" / "results"
METHODS = ("hts_ppo", "ppo", "impala")
# -> where in comparison/ its runs are.
MACHINES = {"A": ("a/*", "easy", "hard"), "C": ("c/*",), "D": ("d/*",)}


def table(page, heading):
    """Returns the cells of the first table below a heading, row by row, but for its head."""
    text = (RESULTS / page).read_text().partition(f"\n## {heading}\n")[2]
    _, _, *rows = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.fixture(scope="module")
def curves():
    """(Machine, method, scenario) -> curves of seed 0."""
    found = collections.defaultdict(list)
    for machine, places in MACHINES.items():
        for path in (path for p in places for path in RESULTS.glob(f"comparison/{p}/scores.csv")):
            runs = collections.defaultdict(list)
            with path.open() as file:
                for row in csv.DictReader(file):
                    if row["seed"] == "0":
                        runs[row["method"], row["scenario"]].append(row)
            for run, rows in runs.items():
                columns = ("env_steps", "seconds", "finished_episodes", "score", "score")
                arrays = [np.array([float(row[name]) for row in rows]) for name in columns]
                curve = Curve(*arrays)
                found[(machine, *run)].append(curve._replace(minutes=curve.minutes / 60))
    return found


def rows(heading):
    return [(row[0], row[1:]) for row in table("poster.md", heading)]


def of(curves, method, scenario, cell):
    """Returns the curve that a cell is of, and the cell without its machine."""
    machine, _, rest = cell.rpartition(": ")
    [curve] = curves[machine or "A", method, scenario]
    return curve, rest


@pytest.mark.parametrize(("scenario", "cells"), rows("Minutes"))
def test_minutes(curves, scenario, cells):
    for method, cell in zip(METHODS, cells[::2], strict=True):
        if cell:
            curve, cell = of(curves, method, scenario, cell)
            reached = [curve.first_reached(target) for target in TARGETS]
            shown = ["-" if at is None else f"{at[1]:.1f}" for at in reached]
            assert cell.replace("*", "").split(" / ") == shown, (method, scenario)


@pytest.mark.parametrize(("scenario", "cells"), rows("Env steps"))
def test_env_steps(curves, scenario, cells):
    minutes = dict(rows("Minutes"))[scenario][::2]
    for method, cell, timed in zip(METHODS, cells, minutes, strict=True):
        assert bool(cell) == bool(timed)
        if cell:
            curve, _ = of(curves, method, scenario, timed)
            reached = [curve.first_reached(target) for target in TARGETS]
            shown = [f"{at[0]:,}" for at in reached if at is not None]
            if None in reached:
                score = curve.score[curve.finished >= 100].max()
                shown.append(f"{score:.2f} within {int(curve.env_steps[-1]):,}")
            assert cell == " / ".join(shown), (method, scenario)
