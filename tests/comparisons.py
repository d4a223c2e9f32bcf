"""Comparisons made up for tests: runs in memory, and the CSV files of whole ones."""

import csv

import numpy as np

from hts_tf.files.curves import Curve
from hts_tf.files.episodes import WINDOW
from hts_tf.report.runs import Run

STEPS = 1000  # of env steps, between points
SYSTEMS_COLUMNS = (
    *("sweep", "scenario", "schedule", "num_envs", "num_executors", "sync_interval", "step_time"),
    *("step_mean_sec", "step_variance_sec2", "intervals", "sps", "interval_sec"),
    *("interval_std_error_sec", "expected_interval_sec", "formula_interval_sec"),
)


def run(
    method, scores, minutes_per_point=1.0, scenario="academy_corner", seed=0, ended="env_steps"
):
    """A run with a score after every `STEPS` env steps, all of them of whole windows."""
    points = np.arange(1, len(scores) + 1)
    curve = Curve(
        points * float(STEPS),
        points * minutes_per_point,
        points + WINDOW,
        np.array(scores, float),
        np.full(len(scores), np.nan),
    )
    made = len(scores) * STEPS, len(scores) * minutes_per_point
    return Run(method, scenario, seed, curve, *made, ended)


def write(directory, runs, sps=500.0):
    """Writes a comparison's files; before each run's curve goes a point of too few episodes."""
    directory.mkdir(exist_ok=True)
    scores, table, shares = [], [], []
    for r in runs:
        key = (r.method, r.scenario, r.seed)
        scores.append((*key, STEPS // 2, 1, 1.0, WINDOW - 1))
        for env_steps, minutes, finished, score, _ in zip(*r.curve, strict=True):
            scores.append((*key, int(env_steps), 60 * minutes, score, int(finished)))
        table.append((*key, int(r.env_steps), 60 * r.minutes, sps, 1.0, "", r.ended))
        for role, activity, share in [
            ("executor", "step", 0.6),
            ("executor", "wait_sync", 0.3),
            ("actor", "inference", 0.2),
            ("learner", "update", 0.5),
            ("learner", "fingerprint", 0.1),
        ]:
            shares.append((*key, role, activity, share))
    names = ("method", "scenario", "seed")
    write_csv(
        directory / "scores.csv",
        (*names, "env_steps", "seconds", "score", "finished_episodes"),
        scores,
    )
    columns = ("env_steps", "seconds", "sps", "policy_lag", "score", "ended")
    write_csv(directory / "runs.csv", (*names, *columns), table)
    write_csv(directory / "time_shares.csv", (*names, "role", "activity", "share"), shares)
    return directory


def write_systems(path, intervals):
    """Writes the systems benchmark's file: variance [s^2] -> seconds per interval (hts, sync)."""
    rows = []
    for variance, pair in intervals.items():
        for schedule, seconds in zip(("hts", "sync"), pair, strict=True):
            step_time = f"gamma:{variance}"
            mine = ("synthetic", schedule, 16, 16, 128, step_time, 0.001, variance, 9)
            expected = seconds if schedule == "hts" else 2 * seconds
            rest = (2048 / seconds, seconds, 0.01, expected, "")
            rows += [("variance", *mine, *rest), ("num_envs", *mine, *rest)]
    for schedule in ("hts", "sync", "async"):
        football = ("academy_corner", schedule, 4, 2, 128, "", "", "", 9, 500, 1, 0.01, "", "")
        rows.append(("num_envs", *football))
    write_csv(path, SYSTEMS_COLUMNS, rows)
    return path


def write_csv(path, columns, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
