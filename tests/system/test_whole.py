import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from hts_tf import errors
from hts_tf.system import whole
from tests.full_disk import room_for


def test_a_file_that_there_is_no_room_for_stays_as_it_was(tmp_path):
    path = tmp_path / "file"
    whole.write(path, b"as it was")
    with room_for(100), pytest.raises(OSError, match=str(path)) as raised:
        whole.write(path, b"a" * 60, b"b" * 60)
    assert whole.describe(raised.value) == f"{path}: {os.strerror(errno.EFBIG)}"
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"as it was"


def test_a_file_is_on_the_disk_before_its_name_is_and_then_that_is_too(tmp_path, monkeypatch):
    path, sync, synced = tmp_path / "file", os.fsync, []

    def noted(fd):
        synced.append((stat.S_ISDIR(os.fstat(fd).st_mode), path.exists()))
        sync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    whole.write(path, b"text")
    assert synced == [(False, False), (True, True)]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        whole.write(tmp_path / "file", b"text")
    assert not list(tmp_path.iterdir())


def test_appending_is_all_or_an_error(tmp_path):
    path = tmp_path / "file"
    with path.open("ab", buffering=0) as file:
        whole.append(file, b"")
        whole.append(file, b"a" * 60)
        with room_for(100), pytest.raises(OSError, match=str(path)):
            whole.append(file, b"b" * 60)
    assert path.stat().st_size == 100, "as much as there was room for"


def test_who_is_to_blame(tmp_path):
    refused = pytest.raises(errors.ConfigError, match=r"--output cannot be written: .*none")
    with refused, whole.refusing("--output"):
        whole.write(tmp_path / "none" / "file", b"text")
    with room_for(3), pytest.raises(OSError, match="file"), whole.refusing("--output"):
        whole.write(tmp_path / "file", b"text")
    assert whole.describe(OSError(errno.EBADF, "of a bug")) is None
    assert whole.describe(OSError(errno.ENOSPC, "full")) == "standard output: full"


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "there").write_text("text")
    whole.check(tmp_path / "there")
    whole.check(tmp_path / "new")
    assert (tmp_path / "there").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    os.mkfifo(tmp_path / "pipe")
    no_files = tmp_path, tmp_path / "none" / "file", tmp_path / ("long" * 100), tmp_path / "pipe"
    for path in (*no_files, Path("/dev/stdout"), Path("/dev/null")):
        with pytest.raises(OSError, match=path.name):
            whole.check(path)


def test_a_table(tmp_path):
    whole.write_csv(tmp_path / "table.csv", ["a", "b"], [(1, "x, y"), (2, None)])
    assert (tmp_path / "table.csv").read_bytes() == b'a,b\r\n1,"x, y"\r\n2,\r\n'


@pytest.mark.parametrize("use", [whole.check, lambda path: whole.write(path, b"text")])
def test_nothing_is_written_through_a_link(tmp_path, use):
    mine = tmp_path / "mine"
    mine.write_text("as it was")
    (tmp_path / "file.tmp").symlink_to(mine)
    use(tmp_path / "file")
    (tmp_path / "grows").symlink_to(mine)
    with pytest.raises(OSError, match="grows"):
        whole.growing(tmp_path / "grows")
    assert mine.read_text() == "as it was"
    assert not (tmp_path / "file.tmp").exists()


def test_a_directory_is_there_when_all_of_it_is(tmp_path):
    killed = subprocess.Popen(["true"])
    killed.wait()
    others = [tmp_path / f"new.{pid}.partial" for pid in (killed.pid, os.getppid())]
    for other in others:
        other.mkdir()
    with whole.directory(tmp_path / "new", "it") as partial:
        partial.mkdir()
        (partial / "file").touch()
        assert not (tmp_path / "new").exists()
    assert {path.name for path in tmp_path.rglob("*")} == {"new", "file", others[1].name}
    with (
        pytest.raises(errors.ConfigError, match=r"^it cannot be written: "),
        whole.directory(tmp_path / "new", "it") as partial,  # of who is done later
    ):
        partial.mkdir()
    assert (tmp_path / "new" / "file").exists()


def test_a_directory_that_is_not_whole_is_none(tmp_path):
    with pytest.raises(ZeroDivisionError), whole.directory(tmp_path / "new", "it") as partial:
        partial.mkdir()
        raise ZeroDivisionError
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").touch()
    with (
        pytest.raises(errors.ConfigError, match=r"^it cannot be written: .*taken"),
        whole.directory(tmp_path / "taken", "it") as partial,
    ):
        partial.mkdir()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "taken"]
