import time

import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.scalar import summary_v2

from hts_tf.files.event_file import EventFile
from hts_tf.files.event_tail import RESTART, EventTail


def test_it_is_what_tensorflow_reads(tmp_path):
    file = EventFile(tmp_path / "new")
    file.restart(6)
    file.add(7, summary_v2.scalar_pb("score", 0.5))
    file.close()
    file.close()
    [path] = (tmp_path / "new").iterdir()
    records = tf.data.TFRecordDataset(str(path))  # which checks the checksums
    version, start, score = (event_pb2.Event.FromString(r.numpy()) for r in records)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (7, event_pb2.SessionLog.START)
    assert (score.step, score.summary.value[0].tag) == (7, "score")


def test_a_clock_that_was_set_back(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.of_who_knows").touch()
    for now in (2_000_000_000, 1_999_999_000, 1_999_999_000):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        file = EventFile(tmp_path)
        file.restart(now % 1000)
        file.close()
    names = sorted(path.name.split(".")[3] for path in tmp_path.iterdir())
    assert names == ["2000000000", "2000000001", "2000000002", "of_who_knows"]
    assert {scalar.tag for scalar in EventTail(tmp_path).scalars()} == {RESTART}
