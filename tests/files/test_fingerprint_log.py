import numpy as np
import pytest

from hts_tf import errors, rollouts
from hts_tf.files import fingerprint_log, fingerprints
from hts_tf.files.fingerprint_log import CELLS, TABLE, FingerprintLog
from tests.files import made_up
from tests.full_disk import room_for


def fingerprint(update, parameters=None, make=made_up.make):
    values = [np.float32(update)] if parameters is None else parameters
    after = map(fingerprints.digest, (values, [np.int64(update)]))
    return fingerprints.fingerprint([fingerprints.of_storage(make(update))], *after)


def live(directory, updates, first=1, make=made_up.make, is_repeatable=True, **changes):
    """Lives through updates from `first` on; the ones before stand."""
    log = FingerprintLog(directory, rollouts.leaves(make()), first - 1)
    for update in range(first, updates + 1):
        log.append(update, 18 * update, fingerprint(update, make=make, **changes), is_repeatable)
    log.sync()
    log.close()


FIRST = ("update", "env_steps")


def files(directory):
    return (directory / TABLE).read_bytes(), (directory / CELLS).read_bytes()


@pytest.fixture
def whole(tmp_path):
    """The files of a run of 5 updates."""
    (tmp_path / "whole").mkdir()
    live(tmp_path / "whole", 5)
    return files(tmp_path / "whole")


makes = pytest.mark.parametrize("make", [made_up.make, made_up.make_structured])


@makes
def test_what_is_written_can_be_read(tmp_path, make):
    live(tmp_path, 3, make=make)
    table = fingerprint_log.read_table(tmp_path)
    assert list(table) == [1, 2, 3]
    for update, row in table.items():
        expected = fingerprint(update, make=make)
        assert row["update"] == str(update)
        assert row["env_steps"] == str(18 * update)
        assert {name: row[name] for name in row if name not in FIRST} == expected.hashes
        cells = fingerprint_log.read_cells(tmp_path, update)
        storage = rollouts.leaves(rollouts.columns(make(update)))
        assert list(cells) == fingerprints.causes_first(storage)
        for name, array in zip(cells, expected.cells, strict=True):
            assert (cells[name] == array).all()
            if name != "truncation_value":
                sums = fingerprints.cell_checksums(storage[name])
                assert (cells[name][: len(sums)] == sums).all()
    assert fingerprint_log.read_cells(tmp_path, 4) is None


def test_first_line_names_the_columns(tmp_path):
    live(tmp_path, 1)
    header = (tmp_path / TABLE).read_text().splitlines()[0].split(",")
    assert header[:5] == ["update", "env_steps", "parameters", "optimizer", "observation"]
    assert header[4:] == list(rollouts.leaves(made_up.make()))


def test_columns_of_a_dict_and_of_several_parameters(tmp_path):
    live(tmp_path, 1, make=made_up.make_structured)
    header = (tmp_path / TABLE).read_text().splitlines()[0].split(",")
    assert header == [
        *("update", "env_steps", "parameters", "optimizer", "observation/map"),
        *("observation/facts", "action", "mean", "deviation", "value", "reward", "score"),
        *("terminated", "truncated", "truncation_value"),
    ]


def test_a_table_of_other_columns_is_dropped(tmp_path, capfd, whole):
    live(tmp_path, 5, make=made_up.make_structured)
    live(tmp_path, 5)
    assert files(tmp_path) == whole
    assert not capfd.readouterr().err


@pytest.mark.parametrize("standing", range(6))
def test_resumed_files_are_those_of_an_uninterrupted_run(tmp_path, capfd, whole, standing):
    live(tmp_path, 5)
    live(tmp_path, 5, first=standing + 1)
    assert files(tmp_path) == whole
    assert not capfd.readouterr().err


@pytest.mark.parametrize("torn", ["table", "cells", "both"])
@pytest.mark.parametrize("missing_bytes", [1, 5, 30, 130])
def test_torn_ends(tmp_path, capfd, whole, torn, missing_bytes):
    live(tmp_path, 4)
    for name, kind in [(TABLE, "table"), (CELLS, "cells")]:
        if torn in (kind, "both"):
            content = (tmp_path / name).read_bytes()
            (tmp_path / name).write_bytes(content[:-missing_bytes])
    assert max(fingerprint_log.read_table(tmp_path)) == (4 if torn == "cells" else 3)
    assert (fingerprint_log.read_cells(tmp_path, 4) is None) == (torn != "table")
    live(tmp_path, 5, first=4)
    assert files(tmp_path) == whole
    assert not capfd.readouterr().err


def test_zeros_that_a_crash_has_left(tmp_path, whole):
    live(tmp_path, 4)
    cells = tmp_path / CELLS
    cells.write_bytes(cells.read_bytes() + bytes(100))
    live(tmp_path, 5, first=5)
    assert files(tmp_path) == whole


def test_killed_before_anything_was_written(tmp_path, whole):
    for content in ("", "update,env_"):
        (tmp_path / TABLE).write_text(content)
        live(tmp_path, 5)
        assert files(tmp_path) == whole


def test_what_was_kept_of_no_checkpoint_is_a_gap(tmp_path):
    live(tmp_path, 2)
    live(tmp_path, 6, first=5)
    assert list(fingerprint_log.read_table(tmp_path)) == [1, 2, 5, 6]
    assert fingerprint_log.read_cells(tmp_path, 3) is None
    expected = fingerprint(6).cells[0]
    assert (fingerprint_log.read_cells(tmp_path, 6)["observation"] == expected).all()


@pytest.mark.parametrize("name", [TABLE, CELLS])
def test_a_full_disk(tmp_path, whole, name):
    size = len(whole[(TABLE, CELLS).index(name)]) - 10
    log = FingerprintLog(tmp_path, rollouts.leaves(made_up.make()), 0)
    with room_for(size), pytest.raises(OSError, match="fingerprints"):
        for update in range(1, 6):
            log.append(update, 18 * update, fingerprint(update))
    log.close()
    live(tmp_path, 5, first=1 + max(fingerprint_log.read_table(tmp_path)))
    assert files(tmp_path) == whole


def test_other_bits_after_an_interruption_are_reported_once(tmp_path, capfd):
    live(tmp_path, 5)
    live(tmp_path, 5, first=3, parameters=[np.float32(0.5)])
    warning = capfd.readouterr().err
    assert warning.count("warning") == 1
    assert "update 3 differs, first in parameters" in warning


def test_other_bits_of_what_does_not_repeat_are_nobodys_fault(tmp_path, capfd):
    live(tmp_path, 5)
    live(tmp_path, 5, first=3, is_repeatable=False, parameters=[np.float32(0.5)])
    assert not capfd.readouterr().err


def test_damaged_cells_are_none(tmp_path):
    live(tmp_path, 1)
    content = bytearray((tmp_path / CELLS).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / CELLS).write_bytes(content)
    assert fingerprint_log.read_cells(tmp_path, 1) is None


def test_no_fingerprints(tmp_path):
    with pytest.raises(errors.ConfigError, match="holds no fingerprints"):
        fingerprint_log.read_table(tmp_path)
