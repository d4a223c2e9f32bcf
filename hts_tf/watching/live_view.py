"""A live view of a run, at the bottom of a terminal that can show it.

The terminal itself keeps the view apart from what else is printed, by whatever process: the rows
above are its scrolling region (DECSTBM of the VT100).
"""

import io
import math
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from hts_tf.files.evaluations import Evaluation
from hts_tf.system import terminal
from hts_tf.watching.progress_line import ProgressLine, Status, duration

_ROWS = 14
_ROWS_ABOVE = 8  # that are left to all else
_COLUMNS = 60
_CURVE_ROWS = 5
_EVERY_SEC = 0.5
_BLOCKS = " ▁▂▃▄▅▆▇█"
_MOST_POINTS = 2000  # of the curve; then every second one is dropped

# What roles do, as figures have it, in words and colours; what is left is hand-over.
_ROLES = {
    "executors": {
        "time/executor_step": ("step", "green"),
        "time/executor_reset": ("reset", "cyan"),
        "time/executor_wait_action": ("wait for actions", "yellow"),
        "time/executor_wait_sync": ("at sync points", "red"),
    },
    "actors": {
        "time/actor_inference": ("inference", "green"),
        "time/actor_wait_state": ("wait for observations", "yellow"),
        "time/actor_wait_sync": ("at sync points", "red"),
    },
    "learner": {
        "time/learner_update": ("update", "green"),
        "time/learner_wait_rollout": ("wait for the rollout", "yellow"),
    },
}


def is_possible() -> bool:
    """Returns whether standard output is a terminal that can show the view."""
    size = shutil.get_terminal_size()
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM") not in (None, "", "dumb")
        and (sys.stdout.encoding or "").lower().startswith("utf")
        and _fits(size)
    )


def _fits(size: os.terminal_size) -> bool:
    return size.lines >= _ROWS + _ROWS_ABOVE and size.columns >= _COLUMNS


class LiveView:
    """Shows score curve, throughput, who works and who waits, last episodes, and crashes.

    While the terminal is too small for it, as it has become, there is a line.
    """

    def __init__(self, workdir: Path, total_env_steps: int) -> None:
        """Shows nothing yet."""
        self._workdir = workdir
        self._total = total_env_steps
        self._size: os.terminal_size | None = None  # of the terminal, while there is a view
        self._line = ProgressLine(total_env_steps)
        self._status: Status | None = None
        self._drawn_at = -math.inf
        self._curve: list[tuple[int, float]] = []  # every so many of the points so far
        self._stride, self._num_points = 1, 0
        self._newest: list[tuple[int, float]] = []
        self._scores: deque[float] = deque(maxlen=100)
        self._figures: dict[str, float] = {}  # the newest of each
        self._evaluated: Evaluation | None = None
        self._best: Evaluation | None = None

    def show(self, status: Status) -> None:
        """Shows where the run is."""
        self._status = status
        self._figures |= status.figures
        self._scores.extend(record.score for record in status.ended)
        if status.means:
            self._newest = [(status.env_steps, status.means.score)]
            if self._num_points % self._stride == 0:
                self._curve += self._newest
                if len(self._curve) > _MOST_POINTS:
                    del self._curve[1::2]
                    self._stride *= 2
            self._num_points += 1
        if time.monotonic() - self._drawn_at >= _EVERY_SEC:
            self._draw()

    def evaluated(self, evaluation: Evaluation) -> None:
        """Takes how a policy has played while its run trained on."""
        self._evaluated = evaluation
        if self._best is None or evaluation.score >= self._best.score:
            self._best = evaluation

    def close(self) -> None:
        """Leaves the last view where it is, and gives its rows back; may be called twice."""
        if self._size is not None:
            self._draw()
        self._give_rows_back()
        self._line.close()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        size = shutil.get_terminal_size()
        if not _fits(size):
            self._give_rows_back()
            self._line.show(self._status)
            return
        if size != self._size:
            self._take_rows(size)
        lines = self._lines(size.columns)
        first = size.lines - _ROWS + 1
        placed = (f"\x1b[{first + n};1H\x1b[2K{line}" for n, line in enumerate(lines))
        # Where all else is printed is left as it is.
        terminal.say(f"\x1b7{''.join(placed)}\x1b8", end="")

    def _give_rows_back(self) -> None:
        if self._size is not None:
            terminal.say(f"\x1b[r\x1b[{shutil.get_terminal_size().lines};1H\n", end="")
            self._size = None

    def _take_rows(self, size: os.terminal_size) -> None:
        """Keeps the last rows of a terminal of this size for the view."""
        self._line.close()
        last = size.lines - _ROWS
        if self._size is None:
            room = "\n" * _ROWS
        else:  # what it showed is not to stay above, in a terminal that has grown
            first = min(self._size.lines, size.lines) - _ROWS + 1
            room = f"\x1b[r\x1b[{first};1H\x1b[J"
        terminal.say(f"{room}\x1b[1;{last}r\x1b[{last};1H", end="")
        self._size = size

    def _lines(self, columns: int) -> list[str]:
        status = self._status
        share = status.env_steps / self._total
        head = Table.grid(padding=(0, 2), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(justify="right", no_wrap=True)
        head.add_row(
            f"{status.env_steps:,} of {self._total:,} env steps ({share:.0%})",
            ProgressBar(total=1.0, completed=share),
            f"[bold]{status.sps:,.0f}[/] SPS  {duration(status.sec_left(self._total))} left",
        )
        parts = [
            Rule(Text(self._workdir.name, "bold"), align="left", style="dim"),
            head,
            self._means(),
            *self._curve_rows(columns),
            Rule(self._range(), align="right", style="dim"),
            *(self._role(name, doing, columns) for name, doing in _ROLES.items()),
            Text(f"episodes   {_bars(self._scores, columns - 12)}"),
            self._crashes(),
        ]
        paper = io.StringIO()
        # Rich would ask the stream, which is none.
        console = Console(file=paper, force_terminal=True, width=columns, legacy_windows=False)
        console.print(Group(*parts), no_wrap=True, overflow="crop", crop=True)
        return paper.getvalue().splitlines()[:_ROWS]

    def _means(self) -> Text:
        means = self._status.means
        text = Text("score -  return -  length -")
        if means:
            text = Text.assemble(
                "score ",
                (f"{means.score:.2f}", "bold"),
                f"  return {means.episode_return:.2f}  length {means.length:.0f}  "
                f"{self._figures.get('episodes/finished', 0):,.0f} episodes",
            )
        if self._evaluated:
            text.append(
                f"  evaluated {self._evaluated.score:.2f} at {self._evaluated.env_steps:,}"
                f" (best {self._best.score:.2f})"
            )
        return text

    def _curve_rows(self, columns: int) -> list[Text]:
        """Draws the score so far."""
        if not self._curve:
            return [Text("")] * _CURVE_ROWS
        steps, scores = np.transpose(self._curve + self._newest)
        low, high = min(0.0, scores.min()), max(0.0, scores.max())
        if 0.5 < high <= 1.0:
            high = 1.0
        width = columns - 13
        at = np.linspace(steps[0], steps[-1], width)
        share = (np.interp(at, steps, scores) - low) / max(high - low, 1e-9)
        eighths = np.rint(share * _CURVE_ROWS * 8).astype(int)
        rows = []
        for row in reversed(range(_CURVE_ROWS)):
            label = {_CURVE_ROWS - 1: f"{high:9.3g}", 0: f"{low:9.3g}"}.get(row, " " * 9)
            filled = np.clip(eighths - 8 * row, 0, 8)
            rows.append(
                Text.assemble((f"{label} │", "dim"), ("".join(_BLOCKS[n] for n in filled), "blue"))
            )
        return rows

    def _range(self) -> Text:
        steps = [env_steps for env_steps, _ in self._curve + self._newest] or [0]
        return Text(f"score from {steps[0]:,} to {steps[-1]:,} env steps", "dim")

    def _role(self, name: str, doing: Mapping[str, tuple[str, str]], columns: int) -> Text:
        """Draws how a role's time goes."""
        text = Text(f"{name:10} ")
        words = Text("  ")
        width = min(40, columns // 4)
        drawn = 0
        for figure, (what, colour) in doing.items():
            share = min(max(self._figures.get(figure, 0.0), 0.0), 1.0)
            cells = min(round(share * width), width - drawn)
            text.append("█" * cells, colour)
            drawn += cells
            words.append(f"{what} ", colour)
            words.append(f"{share:.0%}  ")
        text.append("░" * (width - drawn), "dim")
        return text.append(words)

    def _crashes(self) -> Text:
        number = int(self._figures.get("executor/crashes", 0))
        minutes = self._figures.get("run/minutes", 0.0)
        return Text.assemble(
            f"minutes    {minutes:.1f}    executors replaced ",
            (f"{number}", "bold red" if number else "green"),
            f"    batches of {self._figures.get('actor/batch_size', 0.0):.1f} observations",
        )


def _bars(values: Sequence[float], width: int) -> str:
    """Draws the last values as bars, the first on the left; what is not known is a dot."""
    shown = list(values)[-width:]
    known = [value for value in shown if not math.isnan(value)]
    low, high = min([0.0, *known]), max([1e-9, *known])
    return "".join(
        "·" if math.isnan(value) else _BLOCKS[1 + round(7 * (value - low) / (high - low))]
        for value in shown
    )
