import io
import re
import sys

import pytest

from hts_tf.files.episodes import Episode
from hts_tf.watching import display
from hts_tf.watching.display import ProgressLine, Status


class Terminal(io.StringIO):
    def isatty(self):
        return True


MEANS = Episode(score=0.5, episode_return=1.25, length=80.0)


def test_progress_on_a_terminal_is_one_line_rewritten(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    line = ProgressLine(2000)
    line.show(Status(500, 100.0, None))
    line.show(Status(1000, 250.0, MEANS))
    line.show(Status(2000, 0.0, MEANS))
    line.close()
    line.close()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    first, second, third = text.split("\r\x1b[K")[1:]
    assert "500 of 2,000 env steps (25%)" in first
    assert "100 SPS" in first
    assert "0:00:15 left" in first
    assert "score -" in first
    assert "score 0.50  return 1.25" in second
    assert "0:00:04 left" in second
    assert "2,000 of 2,000 env steps (100%)" in third


def test_progress_on_a_terminal_that_is_narrow_or_dumb(monkeypatch):
    for terminal, expected in [("xterm", 29), ("dumb", 78)]:
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("TERM", terminal)
        monkeypatch.setenv("COLUMNS", "30")
        line = ProgressLine(2000)
        line.show(Status(1000, 250.0, MEANS))
        line.close()
        assert len(stream.getvalue().removeprefix("\r\x1b[K").rstrip()) == expected


def test_progress_elsewhere_is_a_plain_line_now_and_then(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    line = ProgressLine(10_000)
    shown = []
    for second in range(26):
        now[0] = 1000.0 + second
        line.show(Status(second, 1.0, None))
        shown.append(stream.getvalue().count("\n"))
    assert shown == [1] * 10 + [2] * 10 + [3] * 6
    line.close()
    line.show(Status(25, 1.0, None))  # the same once more
    line.close()
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    steps = [int(re.match(r"(\d+) of", text)[1]) for text in stream.getvalue().splitlines()]
    assert steps == [0, 10, 20, 25]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (59.6, "0:01:00"), (3599, "0:59:59"), (360_000, "100:00:00")],
)
def test_time_left(capsys, seconds, text):
    line = ProgressLine(1000 + 1)
    line.show(Status(1, 1000 / seconds if seconds else 0, None))
    line.close()
    assert f"{text} left" in capsys.readouterr().out


def read_events(workdir):
    from tensorboard.backend.event_processing import event_accumulator

    events = event_accumulator.EventAccumulator(str(workdir))
    events.Reload()
    return events


def test_tensorboard_scalars_can_be_read_back(tmp_path):
    import tensorflow as tf

    tensorboard = display.TensorBoard(tmp_path)
    tensorboard.scalars(100, {"episodes/score": 0.25, "learner/loss": -1.0})
    tensorboard.scalars(200, {"episodes/score": 0.5})
    tensorboard.text("configuration", "a = 1\nb = 2")
    tensorboard.close()
    events = read_events(tmp_path)
    assert set(events.Tags()["tensors"]) == {"episodes/score", "learner/loss", "configuration"}
    scores = events.Tensors("episodes/score")
    assert [event.step for event in scores] == [100, 200]
    assert [float(tf.make_ndarray(event.tensor_proto)) for event in scores] == [0.25, 0.5]
    [configuration] = events.Tensors("configuration")
    assert tf.make_ndarray(configuration.tensor_proto).item() == b"    a = 1\n    b = 2"


def test_tensorboard_shows_one_line_of_a_run_that_goes_over_steps_again(tmp_path):
    from tensorboard.backend.event_processing import plugin_event_accumulator

    for resumed_at, values in [(0, [0.1, 0.2, 0.3, 0.4]), (200, [0.5])]:
        tensorboard = display.TensorBoard(tmp_path)
        tensorboard.restart(resumed_at)
        for number, value in enumerate(values, 1):
            tensorboard.scalars(resumed_at + 100 * number, {"episodes/score": value})
        tensorboard.close()
    # The one that shows them: the one for scripts takes back nothing but scalars of TensorFlow 1.
    events = plugin_event_accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    points = events.Tensors("episodes/score")
    assert [point.step for point in points] == [100, 200, 300]
    assert [point.tensor_proto.float_val[0] for point in points] == pytest.approx([0.1, 0.2, 0.5])


def test_tensorboard_shows_a_gif_as_it_is(tmp_path):
    import tensorflow as tf
    from tensorboard.plugins.image import metadata

    tensorboard = display.TensorBoard(tmp_path)
    tensorboard.animation(100, "episode", b"GIF89a...", (640, 488))
    tensorboard.close()
    events = read_events(tmp_path)
    [event] = events.Tensors("episode")
    assert event.step == 100
    assert tf.make_ndarray(event.tensor_proto).tolist() == [b"640", b"488", b"GIF89a..."]
    plugin = events.SummaryMetadata("episode").plugin_data
    assert plugin.plugin_name == metadata.PLUGIN_NAME
