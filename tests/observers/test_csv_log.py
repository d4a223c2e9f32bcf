import csv
from pathlib import Path

import pytest

from hts_tf.observers.csv_log import CsvLog
from hts_tf.observers.observer import Run
from hts_tf.opponents import pool, roster


def begin(directory: Path, env_steps: int, is_complete: bool = False) -> CsvLog:
    log = CsvLog()
    log.begin(Run(directory, {}, {}, env_steps, 1000, is_complete))
    return log


def rows(directory):
    with (directory / "progress.csv").open(newline="") as file:
        return [(row["env_steps"], row["a"], row["b"]) for row in csv.DictReader(file)]


def test_there_are_no_more_columns_with_each_snapshot(tmp_path):
    log = begin(tmp_path, 0)
    for updates in range(1, 4):
        names = f"{roster.SNAPSHOT}{updates}", "Always"
        told = {f"{kind}{name}": 0.5 for kind in (pool.WIN_RATE, pool.RATING) for name in names}
        log.after_update(updates, {"opponents/rating": 0.5, **told})
    columns = (tmp_path / "progress.csv").read_text().splitlines()[0]
    expected = ["rating", "win_rate/Always", "rating_of/Always"]
    assert columns == ",".join(["env_steps", *(f"opponents/{name}" for name in expected)])


@pytest.mark.parametrize("torn", ["", "1", "16", "163,0", "163,0.5,", "90,0.5,4.", "90,0.5,4.5"])
def test_a_row_that_was_cut_short_is_made_again(tmp_path, torn):
    """As where a disk was full."""
    log = begin(tmp_path, 0)
    log.after_update(81, {"a": 1.5, "b": 2.5})
    with (tmp_path / "progress.csv").open("a", newline="") as file:
        file.write(torn)
    begin(tmp_path, 100).after_update(163, {"a": 0.5, "b": 4.0})
    assert rows(tmp_path) == [("81", "1.5", "2.5"), ("163", "0.5", "4.0")]


@pytest.mark.parametrize("is_complete", [False, True])
def test_the_last_update_of_hts(tmp_path, is_complete):
    """It has as many env steps as the one before, after which a run may be killed."""
    log = begin(tmp_path, 0)
    updates = [
        (500, {"a": 1.0, "b": 0.0}),
        (1000, {"a": 2.0, "b": 0.0}),
        (1000, {"a": 3.0, "b": 0.0}),
    ]
    for update in updates:
        log.after_update(*update)
    log = begin(tmp_path, 1000, is_complete)
    if not is_complete:
        log.after_update(*updates[-1])
    assert [a for _, a, _ in rows(tmp_path)] == ["1.0", "2.0", "3.0"]
