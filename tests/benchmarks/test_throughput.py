import csv
import signal
import time
from pathlib import Path

import pytest

from hts_tf.benchmarks import ceiling, kernel, throughput, training_run
from tests import command_line

SMALL = [
    "--scenarios=academy_empty_goal_close",
    "--repeats=1",
    "--ceiling_seconds=0.3",
    "--gin_bindings=Trainer.num_envs = 4",
    "--gin_bindings=Trainer.sync_interval = 16",
]


def run_of(sps, trainer_sec=0.003, executors_sec=0.002):
    return training_run.TrainingRun(
        start_up_sec=8.0,
        env_steps=1000,
        sps=sps,
        trainer_sec=trainer_sec,
        executors_sec=executors_sec,
        batch_size=4.5,
        trainer_bytes=900_000_000,
        executors_bytes=800_000_000,
        total_bytes=1_600_000_000,
    )


@pytest.fixture
def rows():
    return throughput.figures(
        [ceiling.Ceiling(sps, 0.003) for sps in (1000.0, 500.0, 2000.0)],
        [run_of(sps) for sps in (500.0, 400.0, 600.0)],
        {"engine": 0.001, "reset": 0.0001, "around": 0.0002, "encoding": 0.0003},
        {"learning": 0.001, "inference": 0.0005, "compiling": 0.1},
    )


def test_figures(rows):
    values = {(row.group.split()[0], row.name): row.values for row in rows}
    assert values["env", "training / ceiling"] == [0.5, 0.8, 0.3]
    assert values["processor", "- waiting and hand-over"] == pytest.approx([0.4] * 3)
    # 3 ms, without 1 of learning, 0.5 of inference, and 0.1 s of compiling in 1000 env steps.
    assert values["processor", "- the rest"] == pytest.approx([1.4] * 3)


def test_table_and_csv_say_the_same(rows):
    (line,) = (line for line in throughput.table(rows).splitlines() if "/ ceiling" in line)
    assert line.split()[3:6] == ["0.500", "0.300", "0.800"]  # the median of the ratios
    tidy = [row[4:] for row in throughput.tidy("a", rows) if row[2] == "training / ceiling"]
    assert tidy == [
        ("median", "0.5"),
        ("min", "0.3"),
        ("max", "0.8"),
        ("repeat 0", "0.5"),
        ("repeat 1", "0.8"),
        ("repeat 2", "0.3"),
    ]
    assert all(len(line) < 100 for line in throughput.table(rows).splitlines())


@pytest.mark.slow
def test_on_football(tmp_path):
    output = tmp_path / "figures.csv"
    code, printed, errors = command_line.run(
        "hts_tf.benchmarks.throughput", *SMALL, "--env_steps=200", f"--output={output}"
    )
    assert code == 0, errors
    with output.open() as file:
        rows = [row for row in csv.DictReader(file) if row["statistic"] == "median"]
    for row in rows:
        assert row["figure"] in printed
        assert float(row["value"]) > 0 or row["measured"] == throughput.DIFFERENCE
    assert len(rows) == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--scenarios=academy_cornr", "did you mean academy_corner"),
        ("--scenarios=synthetic", "synthetic"),
        ("--output=/nowhere/figures.csv", "--output"),
        ("--gin_bindings=Trainer.num_env = 3", "num_env"),
        ("--gin_bindings=Trainer.num_executors = 17", "Trainer.num_executors"),
        ("extra", "extra"),
    ],
)
def test_refuses(flag, says):
    code, output, errors = command_line.run("hts_tf.benchmarks.throughput", *SMALL, flag)
    assert code == 2, (output, errors)
    assert says in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_it(number):
    with command_line.start("hts_tf.benchmarks.throughput", *SMALL) as process:
        while not (descendants := training_processes(process.pid)):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = command_line.finish(process)[1:]
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert not errors
    deadline = time.monotonic() + 10  # the kernel kills them, but nobody waits for them here
    while any(map(is_alive, descendants)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def training_processes(benchmark):
    """Returns trainer and executors of a benchmark's training, once there are executors."""
    for path in Path("/proc").glob("[0-9]*"):
        if parent_of(path) == benchmark and (found := kernel.executors_of(int(path.name))):
            return [int(path.name), *found]
    return []


def parent_of(path):
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
