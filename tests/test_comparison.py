import csv
import math

import numpy as np
import pytest

from hts_tf import comparison, errors
from hts_tf.comparison import ENV_STEPS, MINUTES, REACHED, UNFINISHED, Measured, Run
from hts_tf.environments.football import football
from hts_tf.files.curves import Curve, RunLog
from hts_tf.watching import display


def write_events(workdir, scores):
    """Of a run with 100 env steps, a minute and 60 finished episodes in each round."""
    board = display.TensorBoard(workdir)
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
    assert comparison.why_over(log, minutes, (0.4, 0.8), total, stop) == why


def test_without_targets_only_minutes_and_env_steps_end_a_run(tmp_path):
    log = write_events(tmp_path, [0.1, 400.0])
    assert comparison.why_over(log, 10, ()) == UNFINISHED
    assert comparison.why_over(log, 10, (), stop_at_score=400.0) == REACHED
    run, measured = Run("ppo", "CartPole-v1", 0), comparison.measure(log, 10, (), 200)
    assert comparison.line(measured, ()).startswith("score 400; ended (env_steps) after 2.0 min")
    head, row = comparison.table({run: measured}, ()).splitlines()
    assert head.split() == ["score", "at", "the", "end"]
    assert row.split() == ["CartPole-v1", "ppo", "400"]


def test_what_a_run_measured_as_csv(tmp_path):
    log = write_events(tmp_path / "run", [None, 0.25, 0.5])
    results = {
        Run("ppo", "academy_corner", 1): comparison.measure(log, 3, (0.8,), 1000),
        Run("impala", "synthetic", 0): comparison.measure(
            RunLog(tmp_path / "none"), 3, (0.4,), 1000
        ),
    }
    comparison.write(tmp_path, results)
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
    _, hts_ppo, ppo = comparison.table(results, (0.4, 0.8)).splitlines()
    assert hts_ppo.split() == ["a_scenario", "hts_ppo", "2.0,", "2,000", "2.5,", "2,500"]
    assert ppo.split() == ["a_scenario", "ppo", "4.0,", "4,000", "-"]


def test_methods_are_compared_close_in_time():
    names = [
        (run.scenario, run.seed, run.method)
        for run in comparison.grid(
            ["synthetic", "academy_corner"], ["ppo", "hts_ppo"], ["1", "0", "1"]
        )
    ]
    assert names == [
        (scenario, seed, method)
        for scenario in ("synthetic", "academy_corner")
        for seed in (1, 0)
        for method in ("ppo", "hts_ppo")
    ]


@pytest.mark.parametrize(
    ("scenarios", "methods", "seeds", "says"),
    [
        (["synthetic", "academy_cornr"], ["ppo"], ["0"], "did you mean academy_corner"),
        (["synthetic"], ["ppo", "htsppo"], ["0"], "did you mean hts_ppo"),
        (["synthetic"], ["ppo"], ["0", "-1"], "--seeds .* '-1'"),
        (["synthetic"], ["ppo"], [""], "--seeds"),
        ([], ["ppo"], ["0"], "--scenarios"),
    ],
)
def test_refuses(scenarios, methods, seeds, says):
    with pytest.raises(errors.ConfigError, match=says):
        comparison.grid(scenarios, methods, seeds)


def test_football_has_targets_also_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(football.scenarios, "names", tuple)
    assert comparison.targets_of(["academy_corner", "11_vs_11_stochastic"]) == comparison.TARGETS
    assert comparison.targets_of(["academy_corner", "CartPole-v1"]) == ()


def test_a_directory_has_one_configuration(tmp_path):
    output, file = tmp_path / "output", tmp_path / "mine.gin"
    file.write_text("PPO.clip = 0.1\n")
    comparison.claim(output, [], ["Trainr.num_envs = 4"])
    comparison.claim(output, [file], ["Trainer.num_envs = 4"])  # no run accepted the other
    (output / "run").mkdir()
    (output / "run" / "config.gin").touch()
    comparison.claim(output, [file], ["Trainer.num_envs = 4"])
    for other in ([], ["Trainer.num_envs = 4"]), ([file], []), ([file], ["PPO.clip = 0.1"]):
        with pytest.raises(errors.ConfigError, match=r"common\.gin"):
            comparison.claim(output, *other)
    (output / "common.gin").unlink()
    with pytest.raises(errors.ConfigError, match="holds runs that were not made together"):
        comparison.claim(output, [file], [])
    with pytest.raises(errors.ConfigError, match="--gin_files"):
        comparison.claim(output, [tmp_path / "no.gin"], [])
    with pytest.raises(errors.ConfigError, match="--output"):
        comparison.claim(file / "output", [], [])


def test_files_that_are_included_count(tmp_path):
    output, included, given = (tmp_path / name for name in ("output", "base.gin", "mine.gin"))
    included.write_text("PPO.epochs = 2\n")
    given.write_text(f"include '{included}'\n")
    comparison.claim(output, [given], [])
    (output / "run").mkdir()
    (output / "run" / "config.gin").touch()
    comparison.claim(output, [given], [])
    included.write_text("PPO.epochs = 3\n")
    with pytest.raises(errors.ConfigError, match="holds runs with other --gin_files"):
        comparison.claim(output, [given], [])
    included.unlink()
    with pytest.raises(errors.ConfigError, match=r"--gin_files: .*No such file"):
        comparison.claim(output, [given], [])


def test_runs_of_other_settings_are_not_averaged(tmp_path):
    """As they are, where a setting has another value since the first of them was made."""
    runs = [Run(method, "synthetic", seed) for method in ("ppo", "hts_ppo") for seed in range(3)]
    made = [(tmp_path, run) for run in runs]

    def configure(number, seed, *bindings):
        workdir = tmp_path / str(runs[number])
        workdir.mkdir(exist_ok=True)
        text = "\n".join([f"# --seed = {seed}", *bindings, ""])
        workdir.joinpath("config.gin").write_text(text)

    comparison.check_alike(made)
    configure(0, 0, "PPO.clip = 0.1", "Trainer.num_actors = 1")
    configure(3, 0, "PPO.clip = 0.3")
    configure(4, 1, "PPO.clip = 0.3", "PPO.of_newer_code = 1")
    configure(1, 1, "PPO.clip = 0.1", "Trainer.num_actors = 2")
    comparison.check_alike(made)
    configure(2, 2, "PPO.clip = 0.2")
    seed = "synthetic-ppo-seed"
    with pytest.raises(errors.ConfigError, match=rf"clip = 0\.1 in .*{seed}0, 0\.2 in .*{seed}2; "):
        comparison.check_alike(made)
    comparison.check_alike(made, searched=["hts_tf.PPO.clip"])
