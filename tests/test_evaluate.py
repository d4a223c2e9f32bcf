import pytest

from hts_tf.files import evaluations, fingerprint_log
from hts_tf.observers import csv_log
from tests import command_line, refusals

PROGRAM = """
import sys
import numpy as np
from hts_tf import evaluate

sys.stdout.reconfigure(encoding="ascii")  # that it is a block else, one sees
print(evaluate.histogram(np.arange(20.0)))
print(evaluate.histogram(np.array([1.0, 0.0, 1.0])))
print(evaluate.histogram(np.array([1.0 + 1e-7, -1e-9, 1.0 - 1e-7])))
"""


def test_a_histogram_is_of_what_the_terminal_can_show():
    code, shown, complaints = command_line.run("tests.program", PROGRAM)
    assert code == 0, complaints
    assert shown.startswith(f"      0.00 to     1.90      2  {'#' * 50}\n")
    few = f"      0.00      1  {'#' * 25}\n      1.00      2  {'#' * 50}\n"
    assert shown.endswith(f"{few}{few}")


THEIRS = {"run/config.gin": "", "policy.bin": "weights", "figures.csv": "step,loss\n1,2\n"}
REFUSED = [
    *(
        (f"run/{name}", f"/run/{name} is the training's; take another name")
        for name in (fingerprint_log.TABLE, evaluations.FILE_NAME, csv_log.FILE_NAME)
    ),
    ("policy.csv", "/policy.bin is there, and no archive of episodes; take another name"),
    ("figures.csv", "/figures.csv is there, and no table of an evaluation; take another name"),
]


@pytest.mark.slow
def test_what_is_somebody_elses_or_will_be_is_not_written_to(tmp_path):
    (tmp_path / "run").mkdir()
    for name, text in THEIRS.items():
        (tmp_path / name).write_text(text)
    model = "--model=academy_empty_goal_close"
    commands = [[model, f"--output={tmp_path / name}"] for name, _ in REFUSED]
    results = refusals.of("hts_tf.evaluate", "evaluate", commands)
    for result, (_, says) in zip(results, REFUSED, strict=True):
        refusals.check(result, says)
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {str(path.relative_to(tmp_path)): path.read_text() for path in files} == THEIRS
