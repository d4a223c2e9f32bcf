import os
import subprocess
import sys

PROGRAM = """
import numpy as np
from hts_tf import evaluate

print(evaluate.histogram(np.arange(20.0)))
print(evaluate.histogram(np.array([1.0, 0.0, 1.0])))
print(evaluate.histogram(np.array([1.0 + 1e-7, -1e-9, 1.0 - 1e-7])))
"""


def test_a_histogram_is_of_what_the_terminal_can_show():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}  # that it is a block else, one sees
    program = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith(f"      0.00 to     1.90      2  {'#' * 50}\n")
    few = f"      0.00      1  {'#' * 25}\n      1.00      2  {'#' * 50}\n"
    assert found.stdout.endswith(f"{few}{few}")
