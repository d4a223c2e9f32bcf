import csv
import math

import numpy as np
import pytest

from hts_tf import measurements
from hts_tf.comparison import Run
from hts_tf.files.curves import Curve, RunLog
from hts_tf.measurements import ENV_STEPS, MINUTES, REACHED, UNFINISHED, Measured
from hts_tf.watching import tensorboard_log


def write_events(workdir, scores):
    """Of a run with 100 env steps, a minute and 60 finished episodes in each round."""
    board = tensorboard_log.TensorBoard(workdir)
    for number, score in enumerate(scores, 1):
        scalars = {
            "run/minutes": float(number),
            "throughput/sps": 100.0 / number,
            "time/executor_wait_sync": 0.1 * number,
            "time/learner_update": 0.5,
        }
        if number > 1:  # learns from the second round on
            scalars["learner/policy_lag"] = float(number % 2)
        if score is not None:
            scalars |= {
                "episodes/finished": 60 * number,
                "episodes/score": score,
                "episodes/return": 0.0,
            }
        board.scalars(100 * number, scalars)
    board.close()
    return RunLog(workdir)


@pytest.mark.parametrize(
    ("scores", "minutes", "total", "stop", "why"),
    [
        ([0.9, 0.5], 10, 1000, math.inf, UNFINISHED),  # 0.8 was before a whole window had finished
        ([0.9, 0.5], 2, 1000, math.inf, MINUTES),
        ([0.9, 0.5], 2, 200, math.inf, ENV_STEPS),
        ([0.1, 0.9, 0.2], 3, 300, math.inf, REACHED),
        ([0.1, 0.3, 0.2], 10, 1000, 0.3, REACHED),
        ([0.1, 0.7, 0.2], 10, 1000, 0.7, REACHED),
        ([0.9, 0.2, 0.2], 10, 1000, 0.3, UNFINISHED),
        ([0.1, 0.9, 0.2], 10, 1000, 0.95, UNFINISHED),  # it is to come further than the targets
        ([None, None], 10, 1000, 0.3, UNFINISHED),
        ([None, None], 10, 200, 0.3, ENV_STEPS),
        ([], 10, 1000, math.inf, UNFINISHED),
    ],
)
def test_why_a_run_is_over(tmp_path, scores, minutes, total, stop, why):
    log = write_events(tmp_path, scores)
    assert measurements.why_over(log, minutes, (0.4, 0.8), total, stop) == why


def test_without_targets_only_minutes_and_env_steps_end_a_run(tmp_path):
    log = write_events(tmp_path, [0.1, 400.0])
    assert measurements.why_over(log, 10, ()) == UNFINISHED
    assert measurements.why_over(log, 10, (), stop_at_score=400.0) == REACHED
    run, measured = Run("ppo", "CartPole-v1", 0), measurements.measure(log, 10, (), 200)
    assert measurements.line(measured, ()).startswith("score 400; ended (env_steps) after 2.0 min")
    head, row = measurements.table({run: measured}, ()).splitlines()
    assert head.split() == ["score", "at", "the", "end"]
    assert row.split() == ["CartPole-v1", "ppo", "400"]


def test_what_a_run_measured_as_csv(tmp_path):
    log = write_events(tmp_path / "run", [None, 0.25, 0.5])
    results = {
        Run("ppo", "academy_corner", 1): measurements.measure(log, 3, (0.8,), 1000),
        Run("impala", "synthetic", 0): measurements.measure(
            RunLog(tmp_path / "none"), 3, (0.4,), 1000
        ),
    }
    measurements.write(tmp_path, results)
    ppo = {"method": "ppo", "scenario": "academy_corner", "seed": "1"}
    assert read(tmp_path / "scores.csv") == [
        ppo | {"env_steps": "200", "seconds": "120", "score": "0.25", "finished_episodes": "120"},
        ppo | {"env_steps": "300", "seconds": "180", "score": "0.5", "finished_episodes": "180"},
    ]
    assert read(tmp_path / "time_shares.csv") == [
        ppo | {"role": "executor", "activity": "wait_sync", "share": "0.2"},
        ppo | {"role": "learner", "activity": "update", "share": "0.5"},
    ]
    nothing = {"env_steps": "0", "seconds": "0", "sps": "", "policy_lag": "", "score": ""}
    assert read(tmp_path / "runs.csv") == [
        ppo
        | {"env_steps": "300", "seconds": "180", "sps": "50"}  # 300 in 1 + 2 + 3 seconds
        | {"policy_lag": "0.5", "score": "0.5", "ended": "minutes"},
        {"method": "impala", "scenario": "synthetic", "seed": "0", **nothing, "ended": UNFINISHED},
    ]
    assert not list(tmp_path.glob("*.tmp"))


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_medians_over_seeds_count_runs_that_never_arrive():
    def measured(*scores):
        points = np.arange(1, len(scores) + 1)
        curve = Curve(1000 * points, 1.0 * points, 100 * points, np.array(scores), points)
        return Measured(curve, 0, 0.0, None, None, {}, UNFINISHED)

    results = {
        Run("hts_ppo", "a_scenario", 0): measured(0.4, 0.8),
        Run("ppo", "a_scenario", 0): measured(0.1, 0.5, 0.7),
        Run("hts_ppo", "a_scenario", 1): measured(0.1, 0.1, 0.9),
        Run("ppo", "a_scenario", 1): measured(0.1, 0.1, 0.1, 0.9),
        Run("ppo", "a_scenario", 2): measured(0.1, 0.1, 0.1, 0.0),
    }
    _, hts_ppo, ppo = measurements.table(results, (0.4, 0.8)).splitlines()
    assert hts_ppo.split() == ["a_scenario", "hts_ppo", "2.0,", "2,000", "2.5,", "2,500"]
    assert ppo.split() == ["a_scenario", "ppo", "4.0,", "4,000", "-"]
