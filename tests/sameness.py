"""Whether runs came to the same, byte for byte, and how far one has come."""

import random
import time

import numpy as np

from hts_tf import compare_runs
from hts_tf.files import archive, fingerprint_log
from hts_tf.files.curves import RunLog
from hts_tf.files.workdir import Workdir

FILES = (fingerprint_log.TABLE, fingerprint_log.CELLS, archive.FILE_NAME)
_BY_RESULTS = ("opponents/", "tasks/")  # begins what a checkpoint, and TensorBoard, has of these


def assert_same(workdir, reference, num_updates):
    same, text = compare_runs.compare(reference, workdir)
    assert same, text
    assert text == f"identical up to update {num_updates}"
    for name in FILES:
        assert (workdir / name).read_bytes() == (reference / name).read_bytes(), name
    found, expected = (Workdir(path).newest() for path in (workdir, reference))
    assert found.keys() == expected.keys()
    for name in expected:
        if name.startswith(_BY_RESULTS):
            np.testing.assert_array_equal(found[name], expected[name], name)
    told, expected = (_told(path) for path in (workdir, reference))
    assert told == expected
    snapshots = {path.name for path in reference.glob("snapshots/*.ckpt")}
    assert snapshots == {path.name for path in workdir.glob("snapshots/*.ckpt")}
    for name in snapshots:
        there, here = (path / "snapshots" / name for path in (reference, workdir))
        assert there.read_bytes() == here.read_bytes()


def _told(workdir):
    """Returns the curves of opponents, ratings among them, and of tasks."""
    series = RunLog(workdir).series
    return {name: series[name] for name in series if name.startswith(_BY_RESULTS)}


def fingerprints(workdir):
    """Returns the bytes of both files."""
    return [(workdir / name).read_bytes() for name in FILES[:2]]


def rows_of(workdir):
    """Returns how many updates its table of fingerprints has."""
    table = workdir / fingerprint_log.TABLE
    return max(0, table.read_bytes().count(b"\n") - 1) if table.exists() else 0


def wait_for_rows(workdir, number, process, at_most_sec=0.05):
    """Waits until so many updates have been made, and then for a moment of up to so long."""
    while rows_of(workdir) < number:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    time.sleep(random.uniform(0.0, at_most_sec))
    assert process.poll() is None, process.stderr.read()
    return rows_of(workdir)
