import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.files import archive
from hts_tf.files.archive import Archive, Record
from tests.full_disk import room_for

u32 = st.integers(0, 2**32 - 1)
outcomes = st.floats(allow_nan=False, width=32)
names = st.sampled_from(["", "itself", "Always", "update 1,200", "läufe/b@400"])


@st.composite
def one_block(draw):
    """Of actions of one size; without any, it is not known, and taken for 1."""
    size = draw(st.sampled_from([1, 1, 2, 3, 8]))
    actions = st.integers(0, 40 // size).flatmap(
        lambda length: st.binary(min_size=size * length, max_size=size * length)
    )
    numbers = (u32, u32, u32, u32, outcomes, outcomes)
    records = draw(st.lists(st.tuples(*numbers, actions), min_size=1, max_size=4))
    known = any(record[-1] for record in records)
    against = names if draw(st.booleans()) else st.just("")
    return [
        Record(*record, action_bytes=size if known else 1, against=draw(against))
        for record in records
    ]


some_blocks = st.lists(one_block(), max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("archive") / archive.FILE_NAME


def write(path, blocks):
    """Writes a new file; returns its size after each block, and before the first."""
    path.unlink(missing_ok=True)
    file = Archive(path, 0)
    sizes = [0]
    for block in blocks:
        file.append(block)
        sizes.append(file.size)
    file.close()
    file.close()
    return sizes


def flat(blocks):
    return [record for block in blocks for record in block]


@given(some_blocks)
def test_what_is_written_is_read(path, blocks):
    sizes = write(path, blocks)
    assert archive.read(path) == flat(blocks)
    assert path.stat().st_size == sizes[-1]


@given(some_blocks, st.data())
def test_a_torn_tail_costs_its_block_and_no_other(path, blocks, data):
    sizes = write(path, blocks)
    cut = data.draw(st.integers(0, sizes[-1]))
    path.write_bytes(path.read_bytes()[:cut] + data.draw(st.sampled_from([b"", bytes(20)])))
    whole = sum(size <= cut for size in sizes[1:])
    # Zeros may be what was cut off.
    assert archive.read(path)[: len(flat(blocks[:whole]))] == flat(blocks[:whole])
    assert len(archive.read(path)) <= len(flat(blocks[: whole + 1]))


@given(some_blocks.filter(bool), st.data())
def test_a_damaged_byte_never_passes(path, blocks, data):
    sizes = write(path, blocks)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    whole = sum(size <= place for size in sizes[1:])
    assert archive.read(path) == flat(blocks[:whole])


@given(some_blocks, some_blocks, st.data())
def test_resumed_is_as_never_stopped(path, blocks, lost, data):
    """What came after the checkpoint goes, a torn tail with it, and is appended again."""
    sizes = write(path, blocks)
    content = path.read_bytes()
    checkpoint = data.draw(st.integers(0, len(blocks)))
    write(path, [*blocks[:checkpoint], *lost])
    with path.open("ab") as file:
        file.write(data.draw(st.binary(max_size=20)))
    resumed = Archive(path, sizes[checkpoint])
    assert resumed.size == sizes[checkpoint]
    for block in blocks[checkpoint:]:
        resumed.append(block)
    resumed.sync()
    resumed.close()
    assert path.read_bytes() == content


def test_a_file_cut_off_before_the_checkpoint_goes_on_after_its_last_whole_block(path):
    block = [Record(1, 2, 3, 4, 1.0, 2.0, b"\5")]
    sizes = write(path, [block, block, block])
    path.write_bytes(path.read_bytes()[: sizes[2] - 1])
    file = Archive(path, sizes[3])
    assert file.size == sizes[1]
    file.append(block)
    file.close()
    assert archive.read(path) == block * 2


def test_a_file_that_has_gone_is_not_made_up(path):
    path.unlink(missing_ok=True)
    file = Archive(path, 1000)
    assert file.size == 0
    file.append([Record(1, 2, 3, 4, 1.0, 2.0, b"\5")])
    file.close()
    assert [record.env for record in archive.read(path)] == [1]


def test_an_unknown_outcome(path):
    write(path, [[Record(0, 0, 0, 0, math.nan, math.nan, b"\5\14")]])
    [record] = archive.read(path)
    assert math.isnan(record.score)
    assert math.isnan(record.episode_return)
    assert record.length == 2


def test_length_is_in_actions(path):
    records = [Record(0, 0, 0, 0, 1.0, 1.0, bytes(n), 4) for n in (12, 0, 8)]
    assert [record.length for record in records] == [3, 0, 2]
    write(path, [records])
    assert archive.read(path) == records


def test_nothing_finished_nothing_written(path):
    path.unlink(missing_ok=True)
    file = Archive(path, 0)
    file.append([])
    file.close()
    assert path.read_bytes() == b""
    assert archive.read(path) == []


def test_a_full_disk_costs_the_last_block_and_no_other(path):
    record = Record(0, 0, 0, 0, 1.0, 1.0, bytes(range(100)))
    [*_, size] = write(path, [[record]])
    file = Archive(path, size)
    with room_for(size + 50), pytest.raises(OSError, match=str(path)):
        file.append([record])
    file.close()
    assert path.stat().st_size == size + 50
    assert archive.read(path) == [record]
    file = Archive(path, file.size)  # as a run that goes on
    file.append([record._replace(env=1)])
    file.close()
    assert archive.read(path) == [record, record._replace(env=1)]


def test_a_file_from_before_there_were_names(path):
    path.write_bytes(
        bytes.fromhex(
            "32000000a672a51078da6362606060648000262066066216206603625628666068b007e2fd0c0c0a0e408e"
            "3d13540f2313330b2b1b00423f02d2"
        )
    )
    assert archive.read(path) == [
        Record(1, 2, 4, 5, 1.0, 2.5, b"\1\2\3\4", 2),
        Record(0, 3, 6, 5, -1.0, 0.5, b"\5\6", 2),
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(errors.ConfigError, match=r"none\.bin"):
        archive.read(tmp_path / "none.bin")


def test_five_megabytes_for_five_million_steps(path):
    """At one action a byte with nothing to compress, in the short episodes of a good policy."""
    random = np.random.default_rng(0)
    steps_per_block, length = 2048, 32
    records = [
        Record(
            slot % 16,
            1000 + slot // 16,
            int(random.integers(2**31)),
            500,
            float(random.integers(2)),
            float(random.integers(21)) / 10,
            random.integers(19, size=length, dtype=np.uint8).tobytes(),
        )
        for slot in range(steps_per_block // length)
    ]
    [_, size] = write(path, [records])
    assert size < steps_per_block
