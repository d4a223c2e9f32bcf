"""The scripts that compare with others, which need what is never installed here."""

import ast

from hts_tf.benchmarks import training_run
from tests.command_line import ROOT

SCRIPT = ROOT / "launch/benchmarks/stable_baselines3_gymnasium.py"


class Child:
    pid = 1

    def has_ended(self):
        return True


def test_what_is_asked_of_a_training_is_there(tmp_path):
    functions = [n for n in ast.parse(SCRIPT.read_text()).body if isinstance(n, ast.FunctionDef)]
    [ours] = (function for function in functions if function.name == "ours")
    asked = {
        node.attr
        for node in ast.walk(ours)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "training"
    }
    assert asked == {"workdir", "has_ended"}
    training = training_run.Training(Child(), tmp_path)
    assert training.workdir == tmp_path
    assert training.has_ended()
