"""Traces: who worked and who waited, when, as a file for Perfetto and Chrome.

The format is Chrome's Trace Event Format, JSON object form: complete events ('X'), instant events
('i') and metadata ('M'). Open it at https://ui.perfetto.dev or chrome://tracing.
"""

import json
from pathlib import Path
from typing import NamedTuple

from hts_tf import errors
from hts_tf.system import whole

FILE_NAME = "trace.json"

_SYNC_POINT = "sync point"
_NUMBER_IS = {"executor": "environment", "actor": "observations"}


class Event(NamedTuple):
    """Something that a worker did without a break.

    Attributes:
      activity: as in TensorBoard's `time/...`: 'step', 'wait_sync' and so on.
      begin: seconds since the trace's begin.
      end: seconds since the trace's begin.
      number: of the environment (executors), of observations (actors), or None.
    """

    activity: str
    begin: float
    end: float
    number: int | None = None


class Trace(NamedTuple):
    """What the workers of a training did for a while.

    Attributes:
      workers: 'executor 0', ..., 'actor 0', ..., 'learner' -> their events, in order.
      sync_points: seconds since the trace's begin; empty for `async`.
      end: seconds since the trace's begin.
    """

    workers: dict[str, list[Event]]
    sync_points: list[float]
    end: float


def role(worker: str) -> str:
    """Returns 'executor', 'actor' or 'learner'."""
    return worker.split()[0]


def write(trace: Trace, path: Path) -> None:
    """Writes a trace; executors are processes of their own, as they are in a run.

    Raises:
      OSError: the file cannot be written.
    """
    events = []
    trainer = threads = processes = 0
    for worker, done in trace.workers.items():
        if role(worker) == "executor":
            processes += 1
            process, thread = processes, 0
            name = worker
        else:
            process, thread = trainer, threads
            threads += 1
            name = "trainer"
        place = {"pid": process, "tid": thread}
        order = process or len(trace.workers)  # executors above the trainer, as in the pictures
        events += [
            {"ph": "M", "name": "process_name", **place, "args": {"name": name}},
            {"ph": "M", "name": "thread_name", **place, "args": {"name": worker}},
            {"ph": "M", "name": "process_sort_index", **place, "args": {"sort_index": order}},
        ]
        events += [
            {
                "ph": "X",
                "name": event.activity,
                "cat": "waiting" if event.activity.startswith("wait") else "busy",
                "ts": _micro(event.begin),
                "dur": _micro(event.end - event.begin),
                **place,
                "args": {} if event.number is None else {_NUMBER_IS[role(worker)]: event.number},
            }
            for event in done
        ]
    events += [
        {"ph": "i", "name": _SYNC_POINT, "s": "g", "ts": _micro(t), "pid": trainer, "tid": 0}
        for t in trace.sync_points
    ]
    document = {"displayTimeUnit": "ms", "otherData": {"seconds": trace.end}, "traceEvents": events}
    whole.write(path, json.dumps(document).encode())


def read(path: Path) -> Trace:
    """Reads what `write` wrote.

    Raises:
      ConfigError: there is no such file, or it holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        events = document["traceEvents"]
        names = {
            (e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"
        }
        workers: dict[str, list[Event]] = {name: [] for name in names.values()}
        for e in events:
            if e["ph"] == "X":
                begin = e["ts"] / 1e6
                number = next(iter(e["args"].values()), None)
                event = Event(e["name"], begin, begin + e["dur"] / 1e6, number)
                workers[names[e["pid"], e["tid"]]].append(event)
        sync_points = [e["ts"] / 1e6 for e in events if e["name"] == _SYNC_POINT]
        return Trace(workers, sync_points, document["otherData"]["seconds"])
    except OSError as error:
        raise errors.ConfigError(f"--trace={path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise errors.ConfigError(f"--trace={path} is not a trace of a training") from error


def _micro(seconds: float) -> float:
    return round(seconds * 1e6, 3)
