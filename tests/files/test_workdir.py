import errno
import fcntl

import numpy as np
import pytest

from hts_tf import errors
from hts_tf.files import checkpoint
from hts_tf.files.archive import Record
from hts_tf.files.workdir import BY_OBSERVER, COMPLETE, LOCK, TO_EVALUATE, Workdir


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


def test_a_checkpoint_that_is_replaced_while_it_is_looked_for(tmp_path, monkeypatch):
    """By a run that goes on: there is always one."""
    workdir, load = Workdir(tmp_path), checkpoint.load
    workdir.save(1, {"number": np.array(1)}, keep=1)

    def too_late(path):
        monkeypatch.setattr(checkpoint, "load", load)
        workdir.save(2, {"number": np.array(2)}, keep=1)
        return load(path)

    monkeypatch.setattr(checkpoint, "load", too_late)
    assert workdir.newest() == {"number": 2}
    assert [*workdir.checkpoints()] == [{"number": 2}]


def test_a_directory_is_a_runs_from_when_it_is_configured(tmp_path):
    """Whoever is killed before has not taken it."""
    for _ in range(2):
        workdir = Workdir(tmp_path)
        assert workdir.claim("Trainer.num_envs = 4\n")
        workdir.close()
    assert workdir.claim("Trainer.num_envs = 8\n")
    workdir.configure("Trainer.num_envs = 8\n")
    workdir.close()
    assert not workdir.claim("Trainer.num_envs = 8\n")
    workdir.close()
    with pytest.raises(errors.ConfigError, match="num_envs = 8"):
        workdir.claim("Trainer.num_envs = 4\n")


def test_one_run_at_a_time(tmp_path):
    one, other = Workdir(tmp_path), Workdir(tmp_path)
    one.claim("Trainer.num_envs = 4\n")
    with pytest.raises(errors.ConfigError, match="is in use by another training run"):
        other.claim("Trainer.num_envs = 4\n")
    other.close()
    with (tmp_path / LOCK).open("r+b") as file:  # a regular one, as NFS locks for all machines
        file.seek(0, 2)
        assert not file.tell()
    one.close()
    other.claim("Trainer.num_envs = 4\n")
    other.close()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(errors.ConfigError, match=r"cannot be locked .*has no locks"):
        Workdir(tmp_path).claim("Trainer.num_envs = 4\n")


def test_checkpoints_of_a_run_whose_configuration_is_gone(tmp_path):
    """They might be gone on with under another one."""
    workdir = Workdir(tmp_path)
    workdir.save(1, {"number": np.array(1)}, keep=1)
    with pytest.raises(errors.ConfigError, match="has checkpoints of a run whose config"):
        workdir.claim("Trainer.num_envs = 8\n")
    workdir.close()


def test_how_a_run_has_ended(tmp_path):
    workdir = Workdir(tmp_path)
    assert workdir.ending() is None
    for number, (state, ending) in enumerate(
        [
            ({"number": 0}, None),
            ({COMPLETE: False}, ""),
            ({COMPLETE: False, BY_OBSERVER: False}, ""),
            ({COMPLETE: False, BY_OBSERVER: True}, BY_OBSERVER),
            ({COMPLETE: True, BY_OBSERVER: False}, COMPLETE),
        ]
    ):
        workdir.save(number, {name: np.array(value) for name, value in state.items()}, keep=1)
        assert workdir.ending() == ending
    checkpoint.save(tmp_path / "checkpoints" / TO_EVALUATE, 2, {"number": np.array(0)})
    assert workdir.ending() == "", "a policy waits"
    workdir.save(9, {COMPLETE: np.array(False), BY_OBSERVER: np.array(True)}, keep=1)
    assert workdir.ending() == BY_OBSERVER, "who goes on with it has it evaluated"
