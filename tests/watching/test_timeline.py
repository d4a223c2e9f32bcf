import numpy as np
import pytest
from PIL import Image

from hts_tf import errors
from hts_tf.collecting import actor, executor
from hts_tf.watching import timeline, trace
from hts_tf.watching.trace import Event, Trace
from tests import command_line

BUSY = (0x00, 0x72, 0xB2)
PALE = (0xD3, 0xDD, 0xE6)


def traced(*events, sync_points=()):
    return Trace({"executor 0": list(events)}, list(sync_points), 1.0)


def counts(path):
    """Returns how many pixels have which colour."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    colours, number = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(map(int, c)): int(n) for c, n in zip(colours, number, strict=True)}


def test_areas_are_shares_of_time(tmp_path):
    path = tmp_path / "timeline.png"
    found = traced(Event("step", 0.0, 0.75, 0), Event("wait_action", 0.75, 1.0))
    timeline.draw(found, path, zoom=(0.0, 1.0))
    both = counts(path)
    timeline.draw(traced(Event("step", 0.0, 1.0, 0)), path, zoom=(0.0, 1.0))
    assert both[BUSY] / counts(path)[BUSY] == pytest.approx(0.75, abs=0.03)
    assert both[PALE] / both[BUSY] == pytest.approx(1 / 3, abs=0.05)


def test_every_activity_of_every_role_has_a_look():
    activities = {*executor.TIMES[:-1], *actor.TIMES[:-1], "update", "wait_rollout"}
    assert set(timeline._LOOKS) == activities


def test_sync_points_are_lines(tmp_path):
    path = tmp_path / "timeline.png"
    red = (0xC0, 0x00, 0x00)
    timeline.draw(traced(Event("step", 0.0, 1.0)), path)
    assert red not in counts(path)
    timeline.draw(traced(Event("step", 0.0, 1.0), sync_points=[0.4]), path)
    assert counts(path)[red] > 20


@pytest.mark.parametrize("window", [(0.5, 0.5), (0.7, 0.2), (-0.1, 0.5), (0.5, 1.5)])
def test_refuses_what_was_not_recorded(tmp_path, window):
    with pytest.raises(errors.ConfigError, match=r"is not within the trace's 0 to 1\.000 s"):
        timeline.draw(traced(), tmp_path / "timeline.png", window=window)


@pytest.mark.slow
def test_command_draws_a_file(tmp_path):
    file, output = tmp_path / "trace.json", tmp_path / "picture.png"
    trace.write(traced(Event("step", 0.0, 1.0, 0)), file)
    arguments = [f"--trace={file}", f"--output={output}", "--window=0.1,0.9"]
    code, _, errors_ = command_line.run("hts_tf.plot_timeline", *arguments, "--zoom=0.5,0.6")
    assert code == 0, errors_
    assert BUSY in counts(output)
    code, _, errors_ = command_line.run("hts_tf.plot_timeline", *arguments, "--zoom=0.5")
    assert (code, errors_) == (2, "error: --zoom takes BEGIN,END in seconds, not '0.5'\n")
