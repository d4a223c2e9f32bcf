"""The live view, as a terminal shows it."""

import itertools
import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pyte
import pytest

from hts_tf.benchmarks.kernel import executors_of
from hts_tf.files.archive import Record
from hts_tf.files.episodes import Episode
from hts_tf.files.evaluations import Evaluation
from hts_tf.system import terminal
from hts_tf.watching import live_view
from hts_tf.watching.live_view import LiveView
from hts_tf.watching.progress_line import Status
from tests import command_line, pseudo_terminal

COLUMNS, LINES = 100, 40
FIGURES = {
    "time/executor_step": 0.8,
    "time/executor_wait_sync": 0.1,
    "time/actor_inference": 0.25,
    "time/learner_update": 0.5,
    "executor/crashes": 3,
    "run/minutes": 4.2,
}


class Screen:
    """A terminal of so many columns and lines that is written to as standard output is."""

    encoding = "utf-8"

    def __init__(self):
        self.screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
        self._stream = pyte.Stream(self.screen)

    def isatty(self):
        return True

    def write(self, text):
        self._stream.feed(text.replace("\n", "\r\n"))

    def flush(self):
        pass

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]


@pytest.fixture
def screen(monkeypatch):
    made = Screen()
    for module in (terminal, live_view):  # pytest has plans of its own for sys.stdout
        monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=made))
    monkeypatch.setattr(live_view, "_EVERY_SEC", 0.0)
    for name, value in [("TERM", "xterm-256color"), ("COLUMNS", COLUMNS), ("LINES", LINES)]:
        monkeypatch.setenv(name, str(value))
    return made


def moment(number, score=0.5, scores=()):
    ended = [
        Record(0, n, 0, 0, score=s, episode_return=s, actions=b"") for n, s in enumerate(scores)
    ]
    return Status(1000 * number, 250.0, Episode(score, 1 + score, 80.0), FIGURES, ended)


def test_what_it_shows(screen):
    view = LiveView(Path("runs/somewhere"), 10_000)
    for number in range(1, 9):
        view.show(moment(number, number / 10, scores=[0.0, 1.0]))
    view.evaluated(Evaluation(7, 7000, 20, 0.75, 1.0, 50.0))
    view.evaluated(Evaluation(8, 8000, 20, 0.25, 1.0, 50.0))
    view.show(moment(9, 0.9, scores=[float("nan")]))
    text = "\n".join(screen.lines[-live_view._ROWS :])
    for part in [
        "somewhere",
        "9,000 of 10,000 env steps (90%)",
        "250 SPS  0:00:04 left",
        "score 0.90  return 1.90  length 80",
        "evaluated 0.25 at 8,000 (best 0.75)",
        "score from 1,000 to 9,000 env steps",
        "step 80%",
        "at sync points 10%",
        "inference 25%",
        "update 50%",
        "executors replaced 3",
        "minutes    4.2",
        "▁█▁█▁█▁█▁█▁█▁█▁█·",
    ]:
        assert part in text, text
    # The curve rises from the left to the right, from 0.1 to 0.9 of its rows.
    rows = [line for line in screen.lines if "│" in line]
    assert len(rows) == live_view._CURVE_ROWS
    heights = [sum(row.ljust(COLUMNS)[column] in "▁▂▃▄▅▆▇█" for row in rows) for column in (12, 97)]
    assert heights == [1, 5]


def test_what_else_is_printed_stays_above(screen):
    view = LiveView(Path("run"), 10_000)
    terminal.say("before")
    for number in range(1, 61):
        view.show(moment(number))
        terminal.say(f"line {number}")
    visible = screen.lines[: -live_view._ROWS]
    assert [line for line in visible if line] == [f"line {n}" for n in range(36, 61)]
    assert "60,000 of 10,000" in "\n".join(screen.lines[-live_view._ROWS :])


def test_its_rows_are_given_back(screen):
    view = LiveView(Path("run"), 10_000)
    view.show(moment(1))
    assert screen.screen.margins == (0, LINES - live_view._ROWS - 1)
    view.close()
    view.close()
    assert screen.screen.margins is None
    terminal.say("after")
    assert screen.lines[-2] == "after"
    assert "1,000 of 10,000" in "\n".join(screen.lines[-live_view._ROWS - 2 :])


def test_a_view_that_has_shown_nothing_leaves_nothing(screen):
    LiveView(Path("run"), 10_000).close()
    assert screen.lines == [""] * LINES


@pytest.mark.parametrize("lines", [30, 60])
def test_the_terminal_changes_its_size(screen, monkeypatch, lines):
    view = LiveView(Path("run"), 10_000)
    view.show(moment(1))
    monkeypatch.setenv("LINES", str(lines))
    screen.screen.resize(lines, COLUMNS)
    view.show(moment(2))
    assert screen.screen.margins == (0, lines - live_view._ROWS - 1)
    assert "2,000 of 10,000" in "\n".join(screen.lines[-live_view._ROWS :])
    assert "1,000 of 10,000" not in "\n".join(screen.lines)


@pytest.mark.parametrize(("name", "small"), [("COLUMNS", "8"), ("LINES", "10")])
def test_a_terminal_that_has_become_too_small_has_its_rows_back(screen, monkeypatch, name, small):
    view = LiveView(Path("run"), 10_000)
    view.show(moment(1, scores=[1.0]))
    before = os.environ[name]
    monkeypatch.setenv(name, small)
    view.show(moment(2, scores=[1.0]))
    assert screen.screen.margins is None
    monkeypatch.setenv(name, before)
    view.show(moment(3))
    assert screen.screen.margins is not None
    monkeypatch.setenv(name, small)
    view.close()
    assert screen.screen.margins is None


@pytest.mark.parametrize(
    ("name", "value", "possible"),
    [
        ("TERM", "dumb", False),
        ("TERM", "", False),
        ("LINES", "21", False),
        ("LINES", "22", True),
        ("COLUMNS", "59", False),
        ("COLUMNS", "60", True),
    ],
)
def test_where_it_is_possible(screen, monkeypatch, name, value, possible):
    assert live_view.is_possible()
    monkeypatch.setenv(name, value)
    assert live_view.is_possible() == possible


def test_a_long_run_does_not_make_it_large(screen):
    view = LiveView(Path("run"), 10**9)
    view._drawn_at = float("inf")  # nothing is drawn
    for number in range(1, 20_000):
        view.show(moment(number))
    assert len(view._curve) <= live_view._MOST_POINTS
    steps = [env_steps for env_steps, _ in view._curve]
    assert steps[0] == 1000, "it begins with the run"
    assert len({b - a for a, b in itertools.pairwise(steps)}) == 1, "and leaves no part out"
    view._drawn_at = 0.0
    view.show(moment(20_000))
    assert "score from 1,000 to 20,000,000 env steps" in "\n".join(screen.lines)


def test_the_narrowest_terminal_has_all_rows(screen, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(live_view._COLUMNS))
    screen.screen.resize(LINES, live_view._COLUMNS)
    view = LiveView(Path("run"), 5_001_216)
    view.show(moment(4_990)._replace(sps=1_583.0))
    assert screen.lines[-1].startswith("minutes    4.2    executors replaced 3")
    assert len([line for line in screen.lines if "│" in line]) == live_view._CURVE_ROWS


@pytest.mark.parametrize(
    ("scores", "labels"), [([-1234.5, -300.0], ["0", "-1.23e+03"]), ([0.0, 0.0], ["0", "0"])]
)
def test_labels_of_scores_that_are_not_above_0(screen, scores, labels):
    view = LiveView(Path("run"), 10_000)
    for number, score in enumerate(scores, 1):
        view.show(moment(number, score))
    rows = [line for line in screen.lines if "│" in line]
    assert {row.index("│") for row in rows} == {10}
    assert [rows[0][:10].strip(), rows[-1][:10].strip()] == labels


def run_in_a_terminal(*flags, until, then):
    """Trains in a pseudo-terminal; once a pattern appears, does something. Returns screen, code."""
    process, ours = pseudo_terminal.start("hts_tf.train", flags, COLUMNS, LINES)
    screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
    stream = pyte.ByteStream(screen)
    done = 0
    while True:
        try:
            stream.feed(os.read(ours, 65536))
        except OSError:  # nobody has the other end any more
            break
        if done < len(until) and re.search(until[done], "\n".join(screen.display)):
            then[done](process.pid)
            done += 1
    os.close(ours)
    assert done == len(until), "\n".join(screen.display)
    return screen, process.wait()


@pytest.mark.slow
def test_when_its_terminal_is_closed_it_writes_a_checkpoint(tmp_path, hangs_up):
    flags = [
        *(f"--workdir={tmp_path}", "--scenario=synthetic", command_line.ONE_EXECUTOR),
        "--gin_bindings=Trainer.total_env_steps = 5_000_000",
    ]
    process, ours = pseudo_terminal.start("hts_tf.train", flags, COLUMNS, LINES)
    while b"SPS" not in os.read(ours, 65536):
        pass
    os.close(ours)
    for _ in range(2):
        os.kill(process.pid, signal.SIGHUP)
    assert process.wait() == 128 + signal.SIGHUP
    assert list(tmp_path.glob("checkpoints/*"))


@pytest.mark.slow
def test_a_training(tmp_path):
    """An executor that is killed, a line that another process prints, and Ctrl-C."""
    flags = [
        f"--workdir={tmp_path}",
        "--scenario=synthetic",
        "--gin_bindings=Trainer.sync_interval = 32",
        "--gin_bindings=Trainer.total_env_steps = 5_000_000",
        "--gin_bindings=Trainer.evaluate_every_updates = 2",
        "--gin_bindings=Trainer.evaluate_episodes = 4",
        "--gin_bindings=Trainer.num_envs = 4",
        "--gin_bindings=PPO.epochs = 1",
        "--gin_bindings=PPO.num_minibatches = 1",
        "--gin_bindings=Synthetic.mean_step_sec = 0.01",  # leaves time for the evaluation
    ]
    screen, code = run_in_a_terminal(
        *flags,
        until=["score 0", "executors replaced 1", "evaluated 0"],
        then=[
            lambda pid: os.kill(executors_of(pid)[0], signal.SIGKILL),
            lambda pid: None,
            lambda pid: os.kill(pid, signal.SIGINT),
        ],
    )
    assert code == 130
    assert screen.margins is None
    lines = ["".join(row[c].data for c in sorted(row)) for row in screen.history.top]
    text = "\n".join([*lines, *screen.display])
    assert "was killed by SIGKILL" in text
    assert "SIGINT: stopping at the next sync point" in text
    assert "stopped with a checkpoint" in text.replace("\n", "")
    assert re.search(r"updates, parameters [0-9a-f]{64}", text.replace("\n", ""))
    assert "reproducible to the bit" in text
