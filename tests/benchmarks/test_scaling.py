import csv

import pytest

from tests import command_line, refusals

pytestmark = pytest.mark.slow

MODULE = "hts_tf.benchmarks.scaling"


def test_measures_each_case(tmp_path):
    output = tmp_path / "scaling.csv"
    code, printed, errors = command_line.run(
        MODULE,
        *("--scenarios=synthetic", "--num_envs=4", "--num_executors=", "--num_actors=2"),
        *("--env_steps=1", "--gin_bindings=Trainer.sync_interval = 16", f"--output={output}"),
    )
    assert code == 0, errors
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["sweep"], row["value"]) for row in rows] == [
        ("num_envs", "4"),
        ("num_actors", "2"),
    ]
    for row in rows:
        assert float(row["sps"]) > 0
        assert float(row["total_mb"]) >= float(row["trainer_mb"]) > 50
        assert row["sweep"] in printed


REFUSED = [
    ("--num_envs=four", "--num_envs"),
    ("--scenarios=academy_cornr", "academy_corner"),
    ("--gin_bindings=Trainer.num_env = 3", "num_env"),
]


@pytest.fixture(scope="module")
def refused():
    """What the command comes to with each of these flags."""
    return refusals.of(MODULE, "benchmark", [[flag] for flag, _ in REFUSED])


@pytest.mark.parametrize(("number", "says"), [*enumerate(says for _, says in REFUSED)])
def test_refuses(refused, number, says):
    code, output, errors = refused[number]
    assert code == 2, (output, errors)
    assert says in errors
    assert len(errors.splitlines()) == 1
