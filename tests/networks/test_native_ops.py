import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.networks import native_ops
from tests import command_line


@given(st.data())
def test_sum_rows_against_numpy(data):
    rows = np.random.default_rng(0).normal(size=(data.draw(st.integers(1, 5)), 3)).astype("f")
    num_targets = data.draw(st.integers(0, 4))
    pair = st.tuples(st.integers(-1, len(rows) - 1), st.integers(-1, num_targets - 1))
    pairs = np.array(data.draw(st.lists(pair)), np.int32).reshape(-1, 2)
    expected = np.zeros((num_targets, 3), np.float32)
    for source, target in pairs:
        if source >= 0 and target >= 0:
            expected[target] += rows[source]
    sums = native_ops.load().hts_sum_rows(rows, pairs[:, 0], pairs[:, 1], num_targets)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize(("source", "target"), [([2], [0]), ([0], [1]), ([0], [0, 0])])
def test_sum_rows_refuses_what_is_out_of_range(source, target):
    arguments = np.ones((2, 3), "f"), np.int32(source), np.int32(target), np.int32(1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        native_ops.load().hts_sum_rows(*arguments)


def test_any_number_of_threads_gives_the_same_bits():
    code = """
import hashlib, sys
import numpy as np, tensorflow as tf
from hts_tf.networks import native_ops
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
random = np.random.default_rng(0)
rows = random.normal(size=(5000, 64)).astype("f")
source, target = random.integers(-5, [[5000], [3000]], size=(2, 200_000)).astype("i4")
sums = native_ops.load().hts_sum_rows(rows, source, target, 3000)
print(hashlib.sha256(sums.numpy().tobytes()).hexdigest())
"""
    hashes = set()
    for threads in (1, 3):
        exit_code, printed, complaints = command_line.run("tests.program", code, threads)
        assert exit_code == 0, complaints
        hashes.add(printed)
    assert len(hashes) == 1


def test_a_compiler_that_fails_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "false --flag")
    with pytest.raises(errors.ConfigError, match="cannot compile: false --flag"):
        native_ops.build()


def test_a_compiler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(errors.ConfigError, match="there is no C\\+\\+ compiler 'no-such-compiler'"):
        native_ops.build()
