"""Reads TensorBoard's event files while they are being written.

Without TensorFlow: in a benchmark's process it would share its code's memory with the trainer,
whose proportional set size would come out too small.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer import record_writer
from tensorboard.util import tensor_util

from hts_tf.files.event_file import PREFIX, TELLS_ITS_END

# Tags of no series. What all have from here on is void; the value is 1 if an end will be told.
RESTART = "restart"
END = "end"  # of the run

_HEADER = struct.Struct("<QI")  # length, and a checksum of it
_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4


class Scalar(NamedTuple):
    """One point of a series.

    Attributes:
      tag: name of the series.
      env_steps: made so far.
      value: of the series.
    """

    tag: str
    env_steps: int
    value: float


class EventTail:
    """Follows the event files of a run: one for each time that it was started."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._positions: dict[Path, int] = {}

    def scalars(self) -> Iterator[Scalar]:
        """Yields what has been written since the last call, `RESTART` and `END` among it."""
        for record in self._records():
            try:
                event = event_pb2.Event.FromString(record)
            except DecodeError:  # a crash has left zeros in the middle of the last that was written
                continue
            log = event.session_log
            if log.status == event_pb2.SessionLog.START:
                yield Scalar(RESTART, event.step, float(log.msg == TELLS_ITS_END))
            elif log.status == event_pb2.SessionLog.STOP:
                yield Scalar(END, event.step, 0.0)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = tensor_util.make_ndarray(value.tensor).item()
                    yield Scalar(value.tag, event.step, number)

    def _records(self) -> Iterator[bytes]:
        for path in sorted(self._workdir.glob(f"{PREFIX}*")):  # by when they were begun
            yield from self._new_records(path)

    def _new_records(self, path: Path) -> Iterator[bytes]:
        position = self._positions.get(path, 0)
        with path.open("rb") as file:
            file.seek(position)
            data = file.read()
        start = 0
        while start + _HEADER.size <= len(data):
            body = start + _HEADER.size
            length, checksum = _HEADER.unpack_from(data, start)
            # Where a machine has crashed, or a file lies on another, there may be zeros.
            if checksum != record_writer.masked_crc32c(data[start : start + _LENGTH_BYTES]):
                break
            end = body + length + _CHECKSUM_BYTES
            if end > len(data):  # its end is yet to be written
                break
            yield data[body : body + length]
            start = end
        self._positions[path] = position + start
