"""The files of a sweep: what it is, and what its trials came to."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hts_tf import errors
from hts_tf.files.curves import Curve
from hts_tf.system import whole

IDENTITY, TRIALS, BEST = "sweep.json", "trials.csv", "best.gin"

# What may become of a trial.
COMPLETE, PRUNED, DIVERGED, UNFINISHED = "complete", "pruned", "diverged", "unfinished"
REFUSED = "refused"


class Outcome(NamedTuple):
    """Of a trial.

    Attributes:
      trial: its number.
      state: see `study.Trial`.
      value: the same.
      env_steps: of all its runs.
      minutes: the same.
      values: that were tried, as gin writes them.
      curves: of its runs, so far as they were made.
    """

    trial: int
    state: str
    value: float
    env_steps: int
    minutes: float
    values: Sequence[str]
    curves: Sequence[Curve]

    def line(self, names: Sequence[str]) -> str:
        """Says it in a line."""
        tried = ", ".join(map(" = ".join, zip(names, self.values, strict=True)))
        return (
            f"trial {self.trial}: {self.value:.3f} ({self.state}), {self.env_steps:,} env steps, "
            f"{self.minutes:.1f} minutes; {tried}"
        )


def claim(directory: Path, identity: dict[str, Any]) -> None:
    """Writes what makes a sweep what it is, or checks that it is what is there.

    Args:
      directory: of the sweep.
      identity: name of a flag -> its value.

    Raises:
      ConfigError: the directory holds another sweep, or cannot be written.
    """
    path = directory / IDENTITY
    with whole.refusing("--output"):
        directory.mkdir(parents=True, exist_ok=True)
        if _has_trials(directory):
            if not path.exists():
                raise errors.ConfigError(
                    f"--output={directory} holds trials of a sweep whose {IDENTITY} is gone: bring "
                    "that back, or take another --output"
                )
            try:
                there = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise errors.ConfigError(f"{path} is damaged: {error}") from None
            for name in sorted({*identity, *there}):
                if identity.get(name) != there.get(name):
                    raise errors.ConfigError(
                        f"--output={directory} holds a sweep with {name} {there.get(name)!r}, not "
                        f"{identity.get(name)!r} (see {path}); give that, or another --output"
                    )
        whole.write(path, (json.dumps(identity, indent=1) + "\n").encode())


def made(directory: Path) -> int:
    """Returns of how many trials there are results already, and not only a table of old ones."""
    path = directory / TRIALS
    if not path.exists() or not _has_trials(directory):
        return 0
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def _has_trials(directory: Path) -> bool:
    return any(directory.glob("trial-*/*/config.gin"))


def best(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns trials from the best on; those that were not made to their end come last.

    What these have not made counts as 0, which is much where scores are negative.
    """
    return sorted(
        outcomes, key=lambda o: (o.state == REFUSED, o.state != COMPLETE, -o.value, o.trial)
    )


def write(directory: Path, names: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Writes a row for each trial, and the best one, unless all were refused, as a gin file.

    The minutes, and the env steps of those that were ended early, are all that may be others where
    the same sweep is made again.
    """
    rows = [
        (o.trial, o.state, f"{o.value:.6g}", *o.values, o.env_steps, f"{o.minutes:.3g}")
        for o in outcomes
    ]
    columns = ("trial", "state", "value", *names, "env_steps", "minutes")
    whole.write_csv(directory / TRIALS, columns, rows)
    first = best(outcomes)[0]
    if first.state == REFUSED:
        return
    lines = [f"# Trial {first.trial} of {directory.name}: {first.value:.3f}."]
    lines += map(" = ".join, zip(names, first.values, strict=True))
    whole.write(directory / BEST, "\n".join([*lines, ""]).encode())
