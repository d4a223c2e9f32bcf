import csv
import signal
import time

import pytest

from hts_tf.benchmarks import figures
from tests import command_line, refusals, waiting
from tests.processes import is_alive, training_processes

pytestmark = pytest.mark.slow

SMALL = [
    "--scenarios=academy_empty_goal_close",
    "--repeats=1",
    "--ceiling_seconds=0.3",
    "--gin_bindings=Trainer.num_envs = 2",
    "--gin_bindings=Trainer.sync_interval = 16",
    command_line.ONE_EXECUTOR,
    *command_line.SMALL_CNN_FLAGS,
]


def test_what_stock_gfootball_does_not_step_is_refused_before_anything_is_measured(tmp_path):
    tasks = ["Trainer.environment = @Tasks()", "Tasks.environments = (@Football(), @Football())"]
    command = [*SMALL, *(f"--gin_bindings={binding}" for binding in tasks)]
    [found] = refusals.of("hts_tf.benchmarks.throughput", "benchmark", [command])
    refusals.check(found, "Trainer.environment = @Tasks() is nothing that stock gfootball steps")


def test_on_football(tmp_path):
    output = tmp_path / "figures.csv"
    code, printed, errors = command_line.run(
        "hts_tf.benchmarks.throughput", *SMALL, "--env_steps=200", f"--output={output}"
    )
    assert code == 0, errors
    with output.open() as file:
        rows = [row for row in csv.DictReader(file) if row["statistic"] == "median"]
    # In so few env steps there may be no reset, and too little hand-over for the kernel's clock.
    may_be_0 = {"- reset", "- hand-over", "- last three / engine"}
    for row in rows:
        assert row["figure"] in printed
        if row["measured"] != figures.DIFFERENCE and row["figure"] not in may_be_0:
            assert float(row["value"]) > 0
    assert len(rows) == 22


def test_refuses(tmp_path):
    known = tmp_path / "known.csv"
    figures_of_before = ",".join(figures.COLUMNS) + "\nof,an,hour"
    known.write_text(figures_of_before)
    other = tmp_path / "other.csv"
    other.write_text("something else")
    cases = [
        ("--scenarios=academy_cornr", "did you mean academy_corner"),
        ("--scenarios=synthetic", "synthetic"),
        ("--output=/nowhere/figures.csv", "--output"),
        (f"--output={tmp_path}", "--output cannot be written: "),
        (f"--output={other}", f"{other} is there, and no table of this benchmark; take another"),
        ("--ceiling_python=/nowhere/pyhton", "--ceiling_python=/nowhere/pyhton: no such interp"),
        ("--gin_bindings=Trainer.num_env = 3", "num_env"),
        ("--scenarios=", "scenario"),
    ]
    commands = [[f"--output={known}", *command_line.replaced(SMALL, [flag])] for flag, _ in cases]
    results = refusals.of("hts_tf.benchmarks.throughput", "benchmark", commands)
    for result, (_, says) in zip(results, cases, strict=True):
        refusals.check(result, says)
    assert known.read_text() == figures_of_before
    refusals.check(command_line.run("hts_tf.benchmarks.throughput", *SMALL, "extra"), "extra")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_it(number):
    with command_line.start("hts_tf.benchmarks.throughput", *SMALL) as process:
        while not (descendants := training_processes(process.pid)):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        errors = command_line.finish(process)[2]
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert not errors
    # The kernel kills them, but nobody waits for them here.
    waiting.until(lambda: not any(map(is_alive, descendants)))
