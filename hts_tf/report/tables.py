"""Reads the CSV files that a comparison and the systems benchmark leave behind, and checks them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hts_tf import comparison, errors
from hts_tf.files.curves import Curve
from hts_tf.files.episodes import WINDOW
from hts_tf.report.runs import Run

_RUN = ("method", "scenario", "seed")

# Of each file: the columns of text, those of numbers, and those of numbers that may be missing.
SCORES = (
    "scores.csv",
    _RUN[:2],
    ("seed", "env_steps", "seconds", "score", "finished_episodes"),
    (),
)
RUNS = (
    "runs.csv",
    (*_RUN[:2], "ended"),
    ("seed", "env_steps", "seconds"),
    ("sps", "policy_lag", "score"),
)
TIME_SHARES = ("time_shares.csv", (*_RUN[:2], "role", "activity"), ("seed", "share"), ())
SYSTEMS = (
    ("sweep", "scenario", "schedule"),
    ("num_envs", "sync_interval", "sps", "intervals", "interval_sec"),
    ("step_variance_sec2", "step_mean_sec", "interval_std_error_sec", "expected_interval_sec"),
)


def read_comparisons(directories: Sequence[Path]) -> tuple[pd.DataFrame, list[Run], pd.DataFrame]:
    """Reads the CSV files of comparisons as if they were one.

    Returns:
      See `read_runs` and `read_curves`; and method, scenario, seed, role, activity, share (0 to 1).

    Raises:
      ConfigError: see `read`; or two have the same run, or runs of other settings, where there
        are workdirs to tell.
    """
    tables = [read_runs(directory) for directory in directories]
    table = pd.concat(tables, ignore_index=True)
    twice = table[table.duplicated(list(_RUN))]
    if not twice.empty:
        method, scenario, seed = twice.iloc[0][list(_RUN)]
        raise errors.ConfigError(
            f"--comparison: more than one directory has the run of {method} on {scenario}, seed "
            f"{seed:g}"
        )
    comparison.check_alike(
        (
            (directory, comparison.Run(row.method, row.scenario, int(row.seed)))
            for directory, rows in zip(directories, tables, strict=True)
            for row in rows.itertuples()
        ),
        "remove the older run, or make a report of each --comparison",
    )
    runs = [run for pair in zip(directories, tables, strict=True) for run in read_curves(*pair)]
    shares = [  # none of runs that diverged before they had made anything
        read(directory / TIME_SHARES[0], *TIME_SHARES[1:], may_have_no_rows=True)
        for directory in directories
    ]
    return table, runs, pd.concat(shares, ignore_index=True)


def read_runs(directory: Path) -> pd.DataFrame:
    """Reads runs.csv: one row for each run; see `read`."""
    path = directory / RUNS[0]
    table = read(path, *RUNS[1:])
    _check(path, table["seed"], table.duplicated(list(_RUN)), "has the run of a line before")
    return table


def read_systems(path: Path) -> pd.DataFrame:
    """Reads what the systems benchmark wrote; see `read`."""
    return read(path, *SYSTEMS, may_be_empty=("step_time",))


def read_curves(directory: Path, table: pd.DataFrame) -> list[Run]:
    """Reads scores.csv.

    Args:
      directory: of the comparison.
      table: see `read_runs`.

    Returns:
      One for each row of the table, in its order.

    Raises:
      ConfigError: see `read`; or a run is in one file only.
    """
    path = directory / SCORES[0]
    scores = read(path, *SCORES[1:], may_have_no_rows=True)
    curves = dict(list(scores.groupby(list(_RUN), sort=False)))
    runs = []
    for row in table.itertuples():
        points = curves.pop((row.method, row.scenario, row.seed), scores.iloc[:0])
        points = points[points["finished_episodes"] >= WINDOW].sort_values("env_steps")
        runs.append(
            Run(
                row.method,
                row.scenario,
                int(row.seed),
                Curve(
                    points["env_steps"].to_numpy(float),
                    points["seconds"].to_numpy(float) / 60,
                    points["finished_episodes"].to_numpy(float),
                    points["score"].to_numpy(float),
                    np.full(len(points), np.nan),  # the file has no returns
                ),
                row.env_steps,
                row.seconds / 60,
                row.ended,
            )
        )
    if curves:
        method, scenario, seed = next(iter(curves))
        raise errors.ConfigError(
            f"{path} has a run of {method} on {scenario}, seed {seed:g}, that {RUNS[0]} beside it "
            "has not"
        )
    return runs


def read(
    path: Path,
    text: Sequence[str],
    numbers: Sequence[str],
    numbers_or_nothing: Sequence[str],
    may_be_empty: Sequence[str] = (),
    may_have_no_rows: bool = False,
) -> pd.DataFrame:
    """Reads a CSV file.

    Args:
      path: of the file.
      text: names of columns that must be there, filled.
      numbers: names of columns that must be there, with a number in each row.
      numbers_or_nothing: the same, but NaN where a row has none.
      may_be_empty: names of columns of text, NaN where a row has none.
      may_have_no_rows: whether a header alone is fine.

    Raises:
      ConfigError: it cannot be read, or is not such a table.
    """
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True)
    except FileNotFoundError:
        raise errors.ConfigError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # pandas' errors are ValueErrors
        raise errors.ConfigError(f"{path} is no CSV file: {errors.in_a_line(error)}") from None
    missing = [
        name
        for name in (*text, *numbers, *numbers_or_nothing, *may_be_empty)
        if name not in table.columns
    ]
    if missing:
        raise errors.ConfigError(f"{path} lacks the column {', '.join(missing)}")
    if table.empty and not may_have_no_rows:
        raise errors.ConfigError(f"{path} has no rows")
    for name in (*numbers, *numbers_or_nothing):
        values = pd.to_numeric(table[name], errors="coerce").replace([np.inf, -np.inf], np.nan)
        wrong = values.isna() & (table[name].notna() if name in numbers_or_nothing else True)
        _check(path, table[name], wrong, "is no number")
        table[name] = values
    for name in text:
        _check(path, table[name], table[name].isna(), "is empty")
    return table


def _check(path: Path, column: pd.Series, wrong: pd.Series, complaint: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        value = column.iloc[row]
        shown = "" if pd.isna(value) else f" '{value}'"
        raise errors.ConfigError(f"{path}, line {row + 2}: {column.name}{shown} {complaint}")
