"""Puts the report together: tables, words and pictures as one HTML page that needs nothing else."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hts_tf.measurements import DIVERGED, ENV_STEPS, MINUTES, REACHED, STOPPED
from hts_tf.report import style
from hts_tf.report.runs import Reach, Run, reaches
from hts_tf.system import whole
from hts_tf.watching import picture

_PACKAGE = Path(__file__).parent
_PIXELS_PER_INCH = 105  # of a page: a picture's letters come out a little smaller than its text
ENDED = {  # what runs.csv calls it, in words
    REACHED: "at the scores to reach",
    MINUTES: "out of minutes",
    ENV_STEPS: "out of env steps",
    STOPPED: "by an observer",
    DIVERGED: "out of bounds",
}
POSTER_METHODS = ("impala", "ppo", "hts_ppo")


class Cell(NamedTuple):
    """Of a table: what it says, in small letters below, and whether nothing can be better."""

    text: str
    note: str = ""
    best: bool = False


class Row(NamedTuple):
    """Of a table: its heads and its cells."""

    heads: tuple[str, ...]
    cells: list[Cell]


class Table(NamedTuple):
    """With the heads of all its columns."""

    heads: list[str]
    rows: list[Row]


class Picture(NamedTuple):
    """A picture that was written beside the page.

    Attributes:
      path: of the file.
      width: at which the page shows it, in its pixels.
    """

    path: Path
    width: int

    @classmethod
    def of(cls, figure: Figure, path: Path) -> "Picture":
        """Writes a figure, and closes it."""
        picture.write(path, figure)
        return cls(path, round(_PIXELS_PER_INCH * figure.get_figwidth()))

    @property
    def source(self) -> str:
        """Its content, as an address."""
        return f"data:image/png;base64,{base64.b64encode(self.path.read_bytes()).decode()}"


def poster() -> pd.DataFrame:
    """Returns the poster's minutes: scenario, target_score, and a column for each method."""
    return pd.read_csv(_PACKAGE / "poster_required_time.csv", comment="#")


def minutes_table(runs: Sequence[Run], targets: Sequence[float]) -> Table:
    """Returns minutes to the targets, ours and the poster's (if it has any of the scenarios)."""
    methods = style.order(run.method for run in runs)
    theirs = poster().set_index(["scenario", "target_score"])
    cells = reaches(runs, "minutes", targets)
    printed = POSTER_METHODS if any(key in theirs.index for key in cells) else ()
    rows = []
    for (scenario, target), cell in cells.items():
        row = theirs.loc[(scenario, target)] if (scenario, target) in theirs.index else None
        ours = _reach_cells([cell.get(method) for method in methods], "min")
        rows.append(Row((style.title(scenario), f"{target:g}"), ours + _poster_cells(row, printed)))
    heads = ["scenario", "score", *(style.look(method).label for method in methods)]
    return Table([*heads, *(f"poster: {style.look(m).label}" for m in printed)], rows)


def steps_table(runs: Sequence[Run], table: pd.DataFrame, targets: Sequence[float]) -> Table:
    """Returns env steps to the targets, env steps per second and policy lag.

    Args:
      runs: of the comparison.
      table: the same; see `tables.read_runs`.
      targets: scores.
    """
    steps = reaches(runs, "env_steps", targets)
    rows = []
    for scenario in sorted(set(table["scenario"])):
        methods = style.order(table.loc[table["scenario"] == scenario, "method"])
        columns = [
            _reach_cells([steps[scenario, target][method] for method in methods], "env steps")
            for target in targets
        ]
        for i, method in enumerate(methods):
            mine = table[(table["scenario"] == scenario) & (table["method"] == method)]
            counts = mine["ended"].map(lambda why: ENDED.get(why, why)).value_counts()
            ended = ", ".join(f"{number} {why}" for why, number in counts.items())
            cells = [
                *(column[i] for column in columns),
                _mean_cell(mine["sps"], 0),
                _mean_cell(mine["policy_lag"], 2),
                Cell(ended),
            ]
            rows.append(Row((style.title(scenario), style.look(method).label), cells))
    heads = [f"env steps to {target:g}" for target in targets]
    return Table(
        ["scenario", "method", *heads, "env steps per second", "policy lag", "how runs ended"], rows
    )


def write(path: Path, template: str = "page.html", **content: Any) -> None:
    """Writes a page.

    Args:
      path: of the file.
      template: of this package; extends base.html.
      content: what it asks for.

    Raises:
      OSError: it cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PACKAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    whole.write(path, environment.get_template(template).render(**content).encode())


def _reach_cells(reached: Sequence[Reach | None], unit: str) -> list[Cell]:
    """Returns one cell for each method; None: it was not run."""
    least = min((r.at_least for r in reached if r is not None), default=None)
    return [Cell("") if r is None else _reach_cell(r, unit, least) for r in reached]


def _reach_cell(reached: Reach, unit: str, least: float) -> Cell:
    ends = (*reached.values[:1], *reached.values[-1:])
    span = " to ".join(dict.fromkeys(_number(value) for value in ends))
    if reached.mean is not None:
        spread = "" if reached.seeds == 1 else f"{span}\n"
        seeds = "1 seed" if reached.seeds == 1 else f"{reached.seeds} seeds"
        return Cell(_number(reached.mean), spread + seeds, best=reached.mean == least)
    some = f"{len(reached.values)} of {reached.seeds} seeds: {span}\n" if reached.values else ""
    return Cell("—", f"{some}not in {_number(reached.limit)} {unit}")


def _poster_cells(row: pd.Series | None, methods: Sequence[str]) -> list[Cell]:
    """Returns one cell for each method; None: the poster does not have the row."""
    if row is None:
        return [Cell("") for _ in methods]
    minutes = [row[f"{method}_minutes"] for method in methods]
    return [
        Cell("—") if np.isnan(value) else Cell(f"{value:.1f}", best=value == np.nanmin(minutes))
        for value in minutes
    ]


def _mean_cell(values: pd.Series, digits: int) -> Cell:
    values = values.dropna()
    if values.empty:
        return Cell("—")
    low, high = (f"{value:,.{digits}f}" for value in (values.min(), values.max()))
    return Cell(f"{values.mean():,.{digits}f}", "" if low == high else f"{low} to {high}")


def _number(value: float) -> str:
    """Writes minutes or env steps."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.{1 if value >= 1 else 2}f}"
