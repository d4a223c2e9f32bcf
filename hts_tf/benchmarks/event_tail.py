"""Reads TensorBoard's event files while they are being written.

Without TensorFlow: in the benchmark's process it would share its code's memory with the trainer,
whose proportional set size would come out too small.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util

_HEADER = struct.Struct("<QI")  # length, and a checksum of it
_CHECKSUM_BYTES = 4


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
    """Follows the event file of a run that was started in an empty workdir."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._position = 0

    def scalars(self) -> Iterator[Scalar]:
        """Yields what has been written since the last call."""
        for record in self._records():
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = tensor_util.make_ndarray(value.tensor).item()
                    yield Scalar(value.tag, event.step, number)

    def _records(self) -> Iterator[bytes]:
        path = next(self._workdir.glob("events.out.tfevents.*"), None)
        if path is None:
            return
        with path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        start = 0
        while start + _HEADER.size <= len(data):
            body = start + _HEADER.size
            length, _ = _HEADER.unpack_from(data, start)
            end = body + length + _CHECKSUM_BYTES
            if end > len(data):  # its end is yet to be written
                break
            yield data[body : body + length]
            start = end
        self._position += start
