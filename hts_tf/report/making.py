"""Makes the report: from the CSV files of comparisons to a page and its pictures."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from hts_tf import comparison, errors
from hts_tf.files import scope
from hts_tf.files.episodes import WINDOW
from hts_tf.measurements import DIVERGED, UNFINISHED
from hts_tf.report import claims, figures, origin, page, statistics, style, system_figures, tables
from hts_tf.report.page import Picture
from hts_tf.report.runs import Run, final_score, judged, mean_score
from hts_tf.report.systems import speedups
from hts_tf.system import outputs, processors, whole


def make(
    comparisons: Sequence[Path],
    systems_path: Path | None,
    output: Path,
    command: str,
    targets: Sequence[float] | None = None,
) -> list[Path]:
    """Makes the page and its pictures.

    Args:
      comparisons: directories of their CSV files; no run may be in two of them.
      systems_path: CSV file of the systems benchmark, if there is one.
      output: the page; pictures are written beside it.
      command: that makes it, for the page to tell.
      targets: the scores that runs are to reach; None for `comparison.targets_of` their scenarios.

    Returns:
      The files that were written.

    Raises:
      ConfigError: the input is not what it should be, or the output cannot be written.
    """
    if not output.parent.is_dir():
        raise errors.ConfigError(f"--output: there is no directory {output.parent}")
    if output.suffix not in (".html", ".htm"):
        raise errors.ConfigError(f"--output={output}: a page's name ends in .html")
    outputs.prepare(output, "--output")
    table, runs, shares = tables.read_comparisons(comparisons)
    if targets is None:
        targets = comparison.targets_of(table["scenario"])
    systems = tables.read_systems(systems_path) if systems_path else None
    ratios = None if systems is None else speedups(systems)
    style.use(table["method"])
    kept = judged(runs)
    samples = {
        "IQM of the last common score": _sample(kept, final_score),
        "IQM of the mean score over env steps": _sample(kept, mean_score),
    }
    drawings = {
        "minutes": figures.scores(runs, "minutes", targets),
        "env_steps": figures.scores(runs, "env_steps", targets),
        "estimates": _draw_estimates(samples),
        "time_shares": None if shares.empty else figures.time_shares(_mean_shares(shares)),
        "throughput": None if systems is None else system_figures.throughput(systems),
        "speedup": None if systems is None else system_figures.speedup(ratios),
        "interval_times": None if systems is None else system_figures.interval_times(systems),
    }
    words = {
        "title": f"{_methods(table)} on {_counted(table, 'scenario')}",
        "summary": _summary(table),
        "findings": claims.judge(runs, table, ratios, targets),
        "minutes": page.minutes_table(runs, targets),
        "methods": table["method"].nunique(),
        "labels": {method: style.look(method).label for method in table["method"]},
        "steps": page.steps_table(runs, table, targets),
        "window": WINDOW,
        "targets": " and ".join(f"{target:g}" for target in targets),
        "sample": next(iter(samples.values())),
        "left_out": len(runs) - len(kept),
        "confidence": round(100 * statistics.CONFIDENCE),
        "min_seeds": statistics.MIN_SEEDS,
        "has_systems": systems is not None,
        "origin": {**origin.describe(comparisons, runs), **_here()},
        "command": command,
    }
    with whole.refusing("--output"):
        pictures = _write_pictures(output, drawings)
        page.write(output, pictures=pictures, **words)
    return [output, *(picture.path for picture in pictures.values())]


def _write_pictures(output: Path, drawings: dict[str, Figure | None]) -> dict[str, Picture]:
    """Writes beside the page whatever could be drawn; returns name -> picture."""
    pictures = {}
    for name, figure in drawings.items():
        if figure is not None:
            pictures[name] = Picture.of(figure, output.with_name(f"{output.stem}_{name}.png"))
    return pictures


def _sample(runs: list[Run], quantity: statistics.Quantity) -> statistics.Sample | None:
    return statistics.sample(runs, style.order(run.method for run in runs), quantity)


def _draw_estimates(samples: dict[str, statistics.Sample | None]) -> Figure | None:
    if not all(samples.values()):
        return None
    return figures.estimates(
        {label: statistics.interquartile_means(sample.scores) for label, sample in samples.items()}
    )


def _mean_shares(shares: pd.DataFrame) -> pd.DataFrame:
    """Returns method, role, activity, share: means over seeds, then over scenarios."""
    keys = ["method", "role", "activity"]
    by_scenario = shares.groupby([*keys, "scenario"], as_index=False)["share"].mean()
    return by_scenario.groupby(keys, as_index=False)["share"].mean()


def _methods(table: pd.DataFrame) -> str:
    return ", ".join(style.look(method).label for method in style.order(table["method"]))


def _summary(table: pd.DataFrame) -> str:
    seeds = table.groupby(["scenario", "method"])["seed"].nunique()
    span = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    unfinished = int(table["ended"].isin([UNFINISHED, DIVERGED]).sum())
    text = (
        f"{len(table)} runs of {_methods(table)}; {_counted(table, 'scenario')}; {span} "
        f"seed{'' if span == '1' else 's'} of each; {table['seconds'].sum() / 3600:.1f} hours of "
        f"training, {table['env_steps'].sum():,.0f} env steps."
    )
    return text + (f" {unfinished} of them did not finish." if unfinished else "")


def _here() -> dict[str, list[str]]:
    """Returns when and on what machine the page is made, which need not be that of the runs."""
    model, _ = scope.processor()
    machine = f"{model}, {processors.usable_cores()} cores"
    return {"this page": [f"made {date.today().isoformat()} on a machine with {machine}"]}


def _counted(table: pd.DataFrame, column: str) -> str:
    """Returns the one name in a column, or how many there are."""
    names = table[column].unique()
    return str(names[0]) if len(names) == 1 else f"{len(names)} {column}s"
