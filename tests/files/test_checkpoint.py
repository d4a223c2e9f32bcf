import hashlib
import io
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hts_tf import errors
from hts_tf.files import checkpoint

ARRAYS = {
    "variable/0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "variable/1": np.array(7, np.int64),
    "storage/observation": np.full((2, 3), 65535, np.uint16),
    "storage/truncated": np.array([True, False]),
    "storage/value": np.array([np.nan, np.inf, -0.0], np.float32),
    "nothing": np.zeros((0, 4), np.float32),
}


def assert_same(actual, expected):
    assert set(actual) == set(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype, name
        assert actual[name].shape == array.shape, name
        assert actual[name].tobytes() == array.tobytes(), name


def test_round_trip(tmp_path):
    path = checkpoint.save(tmp_path / "new" / "checkpoints", 3, ARRAYS, keep=1)
    assert path.parent == tmp_path / "new" / "checkpoints"
    assert_same(checkpoint.load(path), ARRAYS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        dtype=st.sampled_from(["bool", "uint8", "uint16", "int64", "float32", "float64"]),
        shape=hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
    )
)
def test_round_trip_of_any_array(tmp_path, array):
    path = checkpoint.save(tmp_path, 0, {"x": array}, keep=1)
    assert_same(checkpoint.load(path), {"x": array})


def test_newest_first_by_number(tmp_path):
    for number in (2, 9, 10):
        checkpoint.save(tmp_path, number, {"n": np.array(number)}, keep=3)
    assert [int(checkpoint.load(p)["n"]) for p in checkpoint.paths(tmp_path)] == [10, 9, 2]


def test_copies_under_names_of_their_own_are_left_alone(tmp_path):
    first = checkpoint.save(tmp_path, 5, {"n": np.array(5)}, keep=1)
    copies = [tmp_path / f"{stem}.ckpt" for stem in ("keep", "5", "000000005-old", "\u0665" * 9)]
    for copy in copies:
        shutil.copy(first, copy)
    newest = checkpoint.save(tmp_path, 7, {"n": np.array(7)}, keep=1)
    assert checkpoint.paths(tmp_path) == [newest]
    assert all(copy.exists() for copy in copies)


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_keeps_the_newest(tmp_path, keep):
    for number in range(8, 12):
        path = checkpoint.save(tmp_path, number, {"n": np.array(number)}, keep=keep)
        assert checkpoint.paths(tmp_path)[0] == path
    kept = [int(checkpoint.load(p)["n"]) for p in checkpoint.paths(tmp_path)]
    assert kept == [11, 10, 9, 8][:keep]
    assert len(list(tmp_path.iterdir())) == len(kept)


@pytest.mark.parametrize("keep", [1, 2])
def test_newer_ones_which_nobody_could_go_on_from_are_no_longer_kept(tmp_path, keep):
    for number in (10, 20, 30):
        checkpoint.save(tmp_path, number, {"n": np.array(number)}, keep=3)
    checkpoint.save(tmp_path, 21, {"n": np.array(21)}, keep=keep)
    assert [int(path.stem) for path in checkpoint.paths(tmp_path)] == [21, 20][:keep]


def test_saving_a_number_again_replaces_it(tmp_path):
    checkpoint.save(tmp_path, 1, {"x": np.array(1)}, keep=2)
    path = checkpoint.save(tmp_path, 1, {"x": np.array(2)}, keep=2)
    assert checkpoint.paths(tmp_path) == [path]
    assert checkpoint.load(path)["x"] == 2


def test_no_directory_is_no_checkpoints(tmp_path):
    assert checkpoint.paths(tmp_path / "none") == []


@pytest.fixture
def saved(tmp_path):
    return checkpoint.save(tmp_path, 1, ARRAYS, keep=1)


@pytest.mark.parametrize("place", [0, 31, 32, 0.3, 0.5, 0.9, -1])
def test_a_flipped_byte_is_noticed(saved, place):
    data = bytearray(saved.read_bytes())
    index = place if isinstance(place, int) else int(place * len(data))
    data[index] ^= 1
    saved.write_bytes(data)
    with pytest.raises(errors.ConfigError, match="damaged") as error:
        checkpoint.load(saved)
    assert str(saved) in str(error.value)


@pytest.mark.parametrize("length", [0, 10, 32, 0.5, -1])
def test_a_truncated_file_is_noticed(saved, length):
    data = saved.read_bytes()
    saved.write_bytes(data[: length if isinstance(length, int) else int(length * len(data))])
    with pytest.raises(errors.ConfigError, match="damaged"):
        checkpoint.load(saved)


def test_an_interrupted_write_leaves_the_checkpoint_before(saved, monkeypatch):
    def power_cut(fd):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", power_cut)
        with pytest.raises(OSError, match="power cut"):
            checkpoint.save(saved.parent, 2, {"x": np.array(2)}, keep=1)
    assert list(saved.parent.iterdir()) == [saved]
    assert_same(checkpoint.load(saved), ARRAYS)


def test_what_a_process_left_that_was_killed_goes(saved):
    left = saved.with_name("000000002.ckpt.tmp")
    left.write_bytes(b"half of it")
    assert checkpoint.paths(saved.parent) == [saved]
    again = checkpoint.save(saved.parent, 2, {"x": np.array(2)}, keep=1)
    assert checkpoint.paths(saved.parent) == [again]
    assert list(saved.parent.iterdir()) == [again]


def test_load_never_unpickles(tmp_path):
    content = io.BytesIO()
    np.savez(content, x=np.array([{}], dtype=object))
    data = content.getvalue()
    path = tmp_path / "1.ckpt"
    path.write_bytes(hashlib.sha256(data).digest() + data)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        checkpoint.load(path)


def test_objects_are_refused_when_saving(tmp_path):
    with pytest.raises(TypeError, match="x holds objects"):
        checkpoint.save(tmp_path, 1, {"x": np.array([{}], dtype=object)}, keep=1)
    assert checkpoint.paths(tmp_path) == []
