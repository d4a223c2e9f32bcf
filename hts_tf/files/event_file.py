"""Writes TensorBoard's event files, which `event_tail` reads.

TensorFlow could, but it writes what it is given now and then, in pieces, and tells of a full disk
when it pleases; and it has no way to say that a run was taken up again.
"""

import io
import os
import re
import socket
import time
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer import record_writer

from hts_tf.system import whole

TELLS_ITS_END = "tells its end"  # said at the beginning: earlier versions wrote no end

PREFIX = "events.out.tfevents."


class EventFile:
    """A new event file."""

    def __init__(self, directory: Path) -> None:
        """Creates it, and the directory.

        Raises:
          OSError: it cannot be written; names it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        # They are read in the order of their times; a clock may have been set back.
        names = " ".join(path.name for path in directory.glob(f"{PREFIX}*"))
        earlier = map(int, re.findall(rf"{re.escape(PREFIX)}(\d+)", names))
        begun = max([round(time.time()), *(number + 1 for number in earlier)])
        path = directory / f"{PREFIX}{begun}.{socket.gethostname()}.{os.getpid()}"
        self._file = path.open("ab", buffering=0)
        self._write(file_version="brain.Event:2")

    def restart(self, step: int) -> None:
        """Writes that what earlier files have after this step is void: it is made again."""
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START, msg=TELLS_ITS_END)
        self._write(step=step + 1, session_log=start)

    def end(self, step: int) -> None:
        """Writes that the run has come to its end, and all of it is kept."""
        self._write(step=step, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.STOP))

    def add(self, step: int, summary: summary_pb2.Summary) -> None:
        """Writes values, all at once."""
        self._write(step=step, summary=summary)

    def sync(self) -> None:
        """Returns when all that has been written is on the disk."""
        whole.sync(self._file)

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._file.close()

    def _write(self, **content: object) -> None:
        record = io.BytesIO()
        event = event_pb2.Event(wall_time=time.time(), **content)
        record_writer.RecordWriter(record).write(event.SerializeToString())
        whole.append(self._file, record.getvalue())
