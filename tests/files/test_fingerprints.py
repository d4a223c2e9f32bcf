import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hts_tf import rollouts
from hts_tf.files import fingerprints
from tests.files import made_up
from tests.files.made_up import ENVS, STEPS

PARAMETERS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32)]
OPTIMIZER = [np.array(7, np.int64), np.zeros((2, 3), np.float32)]


def take(rollout, parameters=PARAMETERS, optimizer=OPTIMIZER):
    after = map(fingerprints.digest, (parameters, optimizer))
    return fingerprints.fingerprint([fingerprints.of_storage(rollout)], *after)


def different_hashes(a, b):
    return [name for name in a.hashes if a.hashes[name] != b.hashes[name]]


makes = pytest.mark.parametrize("make", [made_up.make, made_up.make_structured])


def test_every_array_is_covered_once():
    names = {
        *("observation", "action", "logits", "value", "reward", "score"),
        *("terminated", "truncated", "truncation_value"),
    }
    assert set(take(made_up.make()).hashes) == {*names, "parameters", "optimizer"}
    names -= {"observation", "logits"}
    names |= {"observation/map", "observation/facts", "mean", "deviation"}
    assert set(take(made_up.make_structured()).hashes) == {*names, "parameters", "optimizer"}


@makes
def test_causes_come_first(make):
    names = rollouts.leaves(make())
    ordered = fingerprints.causes_first(names)
    assert sorted(ordered) == sorted(names)
    assert list(dict.fromkeys(map(rollouts.field_of, ordered))) == [
        *("observation", "policy", "value", "action", "reward", "score"),
        *("terminated", "truncated", "truncation_value"),
    ]


@makes
def test_same_arrays_same_fingerprint(make):
    a, b = take(make()), take(make())
    assert a.hashes == b.hashes
    assert a.cells.tobytes() == b.cells.tobytes()
    assert a.cells.shape == (len(rollouts.leaves(make())), STEPS + 1, ENVS)
    assert all(len(value) == 16 for value in a.hashes.values())


def test_views_into_other_memory_do_not_matter():
    rollout = made_up.make()
    logits = np.repeat(rollout.policy["logits"], 2, axis=1)[:, ::2]
    strided = rollout._replace(policy={"logits": logits})
    assert not logits.flags.c_contiguous
    assert take(strided).hashes == take(rollout).hashes
    assert take(strided).cells.tobytes() == take(rollout).cells.tobytes()


@makes
@settings(max_examples=200)
@given(data=st.data())
def test_one_bit_is_found_in_its_array_and_cell(make, data):
    rollout = make()
    storage = rollouts.leaves(rollout)
    name = data.draw(st.sampled_from(list(storage)))
    array = storage[name]
    # Another `truncated` also brings in or takes out a truncation_value: see below.
    step = data.draw(st.integers(0, len(array) - 1))
    env = data.draw(st.integers(0, ENVS - 1))
    if name == "truncation_value":
        step, env, _ = map(int, np.argwhere(rollout.truncated)[0])
    bits = 1 if array.dtype == bool else array[0, 0].nbytes * 8
    bit = data.draw(st.integers(0, bits - 1))
    a, b = take(rollout), take(made_up.flip(rollout, name, step, env, bit))
    names = fingerprints.causes_first(storage)
    places = {(names[i], int(t), int(e)) for i, t, e in np.argwhere(a.cells != b.cells)}
    expected = {(name, step, env)}
    if name == "truncated":
        expected.add(("truncation_value", step, env))
    assert places == expected
    assert set(different_hashes(a, b)) == {array for array, _, _ in expected}


def test_where_not_truncated_there_is_no_truncation_value():
    rollout = made_up.make()
    defined = rollout.truncation_value[rollout.truncated]
    assert len(defined) and not rollout.truncated.all()
    expected = take(rollout)
    for stale in (0.0, -1.0, np.inf):
        value = np.where(rollout.truncated, rollout.truncation_value, np.float32(stale))
        actual = take(rollout._replace(truncation_value=value))
        assert actual.hashes == expected.hashes
        assert actual.cells.tobytes() == expected.cells.tobytes()


def test_parameters_and_optimizer():
    expected = take(made_up.make())
    other = [PARAMETERS[0], np.nextafter(PARAMETERS[1], np.float32(2))]
    actual = take(made_up.make(), parameters=other)
    assert different_hashes(actual, expected) == ["parameters"]
    actual = take(made_up.make(), optimizer=[np.array(8, np.int64), OPTIMIZER[1]])
    assert different_hashes(actual, expected) == ["optimizer"]


def literal_checksum(cell):
    """A cell's checksum in whole numbers of any size."""
    data = np.atleast_1d(cell).tobytes()
    size = next(size for size in (4, 2, 1) if len(data) % size == 0)
    words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    raw = np.random.Philox(key=0).random_raw(len(words)).tolist()
    total = sum(word * ((number >> 32) | 1) for word, number in zip(words, raw, strict=True))
    return total % 2**32 >> 16


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((), "bool"),
        ((), "uint8"),
        ((3,), "uint8"),
        ((5,), "uint16"),
        ((7,), "float32"),
        ((2, 3), "float64"),
        ((4, 24), "uint16"),
        ((72, 96, 4), "uint8"),
    ],
)
def test_checksums_are_the_formula(shape, dtype):
    random = np.random.default_rng(1)
    array = random.integers(0, 200, size=(2, 3, *shape)).astype(dtype)
    sums = fingerprints.cell_checksums(array)
    assert sums.dtype == np.uint16
    assert sums.tolist() == [[literal_checksum(cell) for cell in row] for row in array]


def test_checksums_of_all_single_bytes_differ():
    values = np.arange(256, dtype=np.uint8)[None]
    assert len(np.unique(fingerprints.cell_checksums(values))) == 256


def test_checksums_of_neighbouring_floats_differ():
    values = np.float32([0, 1, -1, 0.1, 1e-20, 3e7])[None]
    up = np.nextafter(values, np.float32(np.inf))
    assert (fingerprints.cell_checksums(values) != fingerprints.cell_checksums(up)).all()
    zeros = fingerprints.cell_checksums(np.float32([[0.0, -0.0]]))
    assert zeros[0, 0] != zeros[0, 1]
