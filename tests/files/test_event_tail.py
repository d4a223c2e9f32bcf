import pytest

from hts_tf.files.event_tail import EventTail, Scalar
from hts_tf.watching import tensorboard_log


@pytest.fixture
def board(tmp_path):
    board = tensorboard_log.TensorBoard(tmp_path)
    yield board
    board.close()


def test_reads_what_is_new(tmp_path, board):
    tail = EventTail(tmp_path)
    assert list(tail.scalars()) == []
    board.text("configuration", "num_envs = 4")
    for step in (64, 128):
        board.scalars(step, {"run/minutes": step / 64, "actor/batch_size": 2.5})
        assert list(tail.scalars()) == [
            Scalar("run/minutes", step, step / 64),
            Scalar("actor/batch_size", step, 2.5),
        ]
    assert list(tail.scalars()) == []


def test_a_record_half_written_is_for_the_next_time(tmp_path, board):
    board.scalars(64, {"run/minutes": 1.0})
    board.scalars(128, {"run/minutes": 2.0})
    (source,) = tmp_path.glob("events*")
    data = source.read_bytes()
    for size in range(len(data)):
        part = tmp_path / f"{size}"
        part.mkdir()
        copy = part / source.name
        copy.write_bytes(data[:size])
        tail = EventTail(part)
        steps = [scalar.env_steps for scalar in tail.scalars()]
        copy.write_bytes(data)
        assert steps + [scalar.env_steps for scalar in tail.scalars()] == [64, 128]


def test_zeros_that_a_crash_has_left(tmp_path, board):
    """In the last record, or after it; a run that goes on has another file."""
    board.scalars(64, {"run/minutes": 1.0})
    (source,) = tmp_path.glob("events*")
    first = source.stat().st_size
    board.scalars(128, {"run/minutes": 2.0})
    data = source.read_bytes()
    for whole in range(first, len(data)):
        source.write_bytes(data[:whole] + bytes(len(data) - whole + 40))
        steps = [scalar.env_steps for scalar in EventTail(tmp_path).scalars()]
        assert steps in ([64], [64, 128])
    # Where they are seen before what was written there, that is read later.
    source.write_bytes(data[:first] + bytes(100))
    tail = EventTail(tmp_path)
    assert [scalar.env_steps for scalar in tail.scalars()] == [64]
    source.write_bytes(data)
    assert [scalar.env_steps for scalar in tail.scalars()] == [128]


def test_no_workdir_yet(tmp_path):
    assert list(EventTail(tmp_path / "later").scalars()) == []
