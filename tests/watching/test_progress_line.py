import io
import re
import sys

import pytest

from hts_tf.files.episodes import Episode
from hts_tf.watching import progress_line
from hts_tf.watching.progress_line import ProgressLine, Status


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
    monkeypatch.setattr(progress_line.time, "monotonic", lambda: now[0])
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
