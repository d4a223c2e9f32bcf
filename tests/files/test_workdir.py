import pytest

from hts_tf import errors
from hts_tf.files.archive import Record
from hts_tf.files.workdir import Workdir


def test_an_archive_that_has_lost_episodes_is_reported(tmp_path, capfd):
    file = Workdir(tmp_path).open_archive(0)
    file.append([Record(0, 0, 0, 0, 1.0, 2.0, b"\5")])
    file.close()
    Workdir(tmp_path).open_archive(file.size).close()
    assert not capfd.readouterr().err
    Workdir(tmp_path).open_archive(file.size + 10).close()
    assert "has lost 10 bytes" in capfd.readouterr().err


def test_an_archive_that_cannot_be_written(tmp_path):
    (tmp_path / "episodes.bin").mkdir()
    with pytest.raises(errors.ConfigError, match="archive cannot be written"):
        Workdir(tmp_path).open_archive(0)
