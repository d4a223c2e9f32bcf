from tests import command_line

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
