"""What follows from the rows of the systems benchmark."""

import pandas as pd

_CONFIGURATION = ["step_time", "step_mean_sec", "step_variance_sec2", "num_envs", "sync_interval"]


def speedups(systems: pd.DataFrame) -> pd.DataFrame:
    """Returns how many times faster `hts` is than `sync`, for each distribution of step times.

    Args:
      systems: see `tables.read_systems`.

    Returns:
      Columns step_time, step_mean_sec, step_variance_sec2, num_envs, sync_interval, and the
      ratios `measured` and `expected`, by ascending variance.
    """
    rows = systems[systems["sweep"] == "variance"].dropna(subset=_CONFIGURATION)
    times = rows.pivot_table(
        index=_CONFIGURATION, columns="schedule", values=["interval_sec", "expected_interval_sec"]
    )
    pairs = {"measured": "interval_sec", "expected": "expected_interval_sec"}
    wanted = [(column, schedule) for column in pairs.values() for schedule in ("hts", "sync")]
    times = times.reindex(columns=pd.MultiIndex.from_tuples(wanted))
    ratios = {name: times[column]["sync"] / times[column]["hts"] for name, column in pairs.items()}
    table = pd.DataFrame(ratios).dropna(subset=["measured"]).reset_index()
    return table.sort_values("step_variance_sec2")
