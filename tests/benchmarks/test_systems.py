import csv

import pytest

from tests import command_line, refusals

pytestmark = pytest.mark.slow

SMALL = ["--num_envs=2", "--seconds=0.1", "--sync_interval=8", "--mean_step_sec=0.002"]


def test_measures_and_expects(tmp_path):
    output = tmp_path / "systems.csv"
    code, printed, errors = command_line.run(
        "hts_tf.benchmarks.systems",
        *SMALL,
        "--scenarios=synthetic",
        "--variance_num_envs=2",
        "--step_times=exponential",
        "--variance_step_times=exponential",
        f"--output={output}",
    )
    assert code == 0, errors
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["sweep"], row["schedule"]) for row in rows] == [
        ("num_envs", "hts"),
        ("num_envs", "sync"),
        ("num_envs", "async"),
        ("variance", "hts"),
        ("variance", "sync"),
    ]
    for row in rows:
        interval = float(row["interval_sec"])
        steps = float(row["sps"]) * interval
        is_async = row["schedule"] == "async"
        assert steps == pytest.approx(16 * 32 if is_async else 2 * 8)
        assert int(row["intervals"]) >= 2
        assert float(row["step_variance_sec2"]) == pytest.approx(0.002**2)
        assert (row["expected_interval_sec"] == "") == is_async
        assert (row["formula_interval_sec"] == "") == (row["schedule"] != "hts")
        # Steps sleep at least their time; how much more the rest takes depends on the machine.
        if not is_async:
            assert interval > 0.5 * float(row["expected_interval_sec"])
    # What is of both sweeps is measured once.
    assert rows[0]["interval_sec"] == rows[3]["interval_sec"]
    assert printed.count("\n") == 1 + len(rows)


REFUSED = [
    ("--scenarios=academy_cornr", "did you mean academy_corner"),
    ("--num_envs=16,0", "--num_envs"),
    ("--step_times=constant,normal", "normal in --step_times"),
    ("--variance_step_times=gamma:-1", "gamma_shape"),
]


@pytest.fixture(scope="module")
def refused():
    """What the command comes to with each of these flags."""
    commands = [[*SMALL, flag] for flag, _ in REFUSED]
    return refusals.of("hts_tf.benchmarks.systems", "benchmark", commands)


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refuses(refused, number, says):
    refusals.check(refused[number], says)


def test_every_case_is_a_training():
    # In a process of its own: commands share names of flags.
    code = """
import gin
from absl import flags
from hts_tf import config, settings
from hts_tf.benchmarks import systems

flags.FLAGS(["test"])
systems.check()
cases = {case for _, case in systems.cases()}
assert len(cases) == (3 + 1) * 4 * 3 + 3 * 2, cases
for case in cases:
    gin.clear_config()
    config.load(case.scenario, systems._METHODS[case.schedule], gin_bindings=case.bindings)
    environment = config.environment()
    if case.scenario == "synthetic":
        assert environment == systems.game_of(case.step_time)
        assert gin.query_parameter("Trainer.num_executors") == case.num_envs
    else:
        assert environment.scenario == case.scenario
    assert gin.query_parameter("Trainer.num_envs") == case.num_envs
"""
    exit_code, _, complaints = command_line.run("tests.program", code)
    assert exit_code == 0, complaints
