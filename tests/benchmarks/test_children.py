import os
import sys

import pytest

from hts_tf.benchmarks import children
from hts_tf.system.child import ChildError

MODULE = """
import os
from hts_tf import errors
from hts_tf.benchmarks import children

def prepare(number):
    if number == "refused":
        raise errors.ConfigError("the number is 3")
    print("an engine says hello")
    def body():
        if number == "broken":
            raise RuntimeError("no luck")
        return {"twice": 2 * number, "pid": os.getpid()}
    return body

children.serve(prepare)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "worker_of_test_children.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return "worker_of_test_children"


def test_measures_in_processes_of_their_own(module):
    results = children.measure(module, [{"number": 1}, {"number": 2}])
    assert [result["twice"] for result in results] == [2, 4]
    assert len({os.getpid(), *(result["pid"] for result in results)}) == 3


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [("refused", 2, "the number is 3"), ("broken", 1, "exit code 1: RuntimeError: no luck")],
)
def test_says_what_a_child_died_of(module, number, code, message):
    with pytest.raises(ChildError, match=message) as raised:
        children.measure(module, [{"number": 1}, {"number": number}])
    assert raised.value.code == code
