import pytest

from hts_tf.benchmarks import ceiling, figures, training_run


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
    return figures.collect(
        [ceiling.Ceiling(sps, 0.003) for sps in (1000.0, 500.0, 2000.0)],
        [run_of(sps) for sps in (500.0, 400.0, 600.0)],
        {"engine": 0.001, "reset": 0.0001, "encoding": 3e-5, "around": 2e-5, "handover": 7e-5},
        {"learning": 0.001, "inference": 0.0005, "compiling": 0.1},
    )


def test_figures(rows):
    values = {(row.group.split()[0], row.name): row.values for row in rows}
    assert values["env", "training / ceiling"] == [0.5, 0.8, 0.3]
    assert values["processor", "- last three / engine"] == pytest.approx([0.12])
    # 3 ms, without 1 of learning, 0.5 of inference, and 0.1 s of compiling in 1000 env steps.
    assert values["processor", "- the rest"] == pytest.approx([1.4] * 3)


def test_table_and_csv_say_the_same(rows):
    (line,) = (line for line in figures.table(rows).splitlines() if "/ ceiling" in line)
    assert line.split()[3:6] == ["0.500", "0.300", "0.800"]  # the median of the ratios
    tidy = [row[4:] for row in figures.tidy("a", rows) if row[2] == "training / ceiling"]
    assert tidy == [
        ("median", "0.5"),
        ("min", "0.3"),
        ("max", "0.8"),
        ("repeat 0", "0.5"),
        ("repeat 1", "0.8"),
        ("repeat 2", "0.3"),
    ]
    assert all(len(line) < 100 for line in figures.table(rows).splitlines())
