import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf.collecting import shared_memory
from hts_tf.collecting.shared_memory import SharedArrays

FIELDS = {
    "a/x": ((2, 3), "float32"),
    "a/flag": ((3,), "bool"),
    "ab/x": ((5,), "int64"),
    "b/y": ((), "float64"),
}

DOUBLE_X = f"""
import sys
from hts_tf.collecting.shared_memory import SharedArrays
arrays = SharedArrays({FIELDS!r}, int(sys.argv[1]))
arrays["ab/x"][...] *= 2
arrays["a/flag"][1] = True
print(arrays["a/x"].tolist())
"""


@pytest.fixture
def arrays():
    arrays = SharedArrays(FIELDS)
    yield arrays
    arrays.close()


def test_shapes_and_types(arrays):
    for name, (shape, dtype) in FIELDS.items():
        assert arrays[name].shape == shape
        assert arrays[name].dtype == dtype


def test_another_process_maps_the_same_memory(arrays):
    arrays["a/x"][...] = np.arange(6).reshape(2, 3)
    arrays["ab/x"][...] = np.arange(5)
    child = subprocess.run(
        [sys.executable, "-c", DOUBLE_X, str(arrays.fd)],
        pass_fds=[arrays.fd],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]"
    assert arrays["ab/x"].tolist() == [0, 2, 4, 6, 8]
    assert arrays["a/flag"].tolist() == [False, True, False]


def test_fresh_floats_are_nan_and_the_rest_is_zero(arrays):
    assert np.isnan(arrays["a/x"]).all()
    assert np.isnan(arrays["b/y"]).all()
    assert not arrays["a/flag"].any()
    assert not arrays["ab/x"].any()


def test_mapping_existing_memory_leaves_it_alone(arrays):
    arrays["a/x"][...] = 1.0
    again = SharedArrays(FIELDS, os.dup(arrays.fd))
    assert (again["a/x"] == 1.0).all()
    again["a/x"][0, 0] = 2.0
    assert arrays["a/x"][0, 0] == 2.0
    again.close()


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 7), max_size=3).map(tuple),
            st.sampled_from(["bool", "uint8", "uint16", "int32", "float32", "float64"]),
        ),
        max_size=6,
    )
)
def test_arrays_are_aligned_and_never_overlap(layout):
    fields = {str(i): field for i, field in enumerate(layout)}
    arrays = SharedArrays(fields)
    try:
        for name in fields:
            arrays[name].view("uint8" if arrays[name].ndim else arrays[name].dtype).fill(int(name))
            assert arrays[name].ctypes.data % 64 == 0
        for name in fields:
            content = arrays[name].view("uint8" if arrays[name].ndim else arrays[name].dtype)
            assert (content == np.array(int(name)).astype(content.dtype)).all()
        assert shared_memory.total_nbytes(fields) % 64 == 0
        assert shared_memory.total_nbytes(fields) >= sum(arrays[name].nbytes for name in fields)
    finally:
        arrays.close()


def test_group_is_by_the_whole_prefix(arrays):
    group = arrays.group("a")
    assert set(group) == {"x", "flag"}
    assert np.shares_memory(group["x"], arrays["a/x"])
    assert arrays.group("c") == {}


def test_does_not_lie_in_dev_shm(arrays):
    assert os.fstat(arrays.fd).st_dev != Path("/dev/shm").stat().st_dev
    assert os.fstat(arrays.fd).st_nlink == 0  # it has no name anywhere


def test_memory_goes_with_its_last_array():
    arrays = SharedArrays({"x": ((100,), "float32")})
    inode = os.fstat(arrays.fd).st_ino
    last = arrays["x"]
    arrays.close()
    del arrays
    gc.collect()
    last.fill(3.0)
    assert inode in mapped_inodes()
    del last
    gc.collect()
    assert inode not in mapped_inodes()


def mapped_inodes():
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {int(line.split()[4]) for line in maps if "memfd:hts_tf" in line}


def test_close_gives_the_descriptor_back_once():
    arrays = SharedArrays({"x": ((1,), "int32")})
    fd = arrays.fd
    arrays.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    arrays.close()
