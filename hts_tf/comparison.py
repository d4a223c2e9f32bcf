"""A comparison: its runs and their directory."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hts_tf import differences, errors, presets
from hts_tf.files import checkpoint
from hts_tf.files.curves import TARGETS
from hts_tf.files.workdir import Workdir
from hts_tf.system import whole


class Run(NamedTuple):
    """One training of the grid.

    Attributes:
      method: a file of `gin_configs/methods`.
      scenario: see `config.load`.
      seed: of everything random in the run.
    """

    method: str
    scenario: str
    seed: int

    @property
    def flags(self) -> list[str]:
        """Those of `hts_tf.train`."""
        return [f"--scenario={self.scenario}", f"--method={self.method}", f"--seed={self.seed}"]

    def __str__(self) -> str:
        scenario = self.scenario.replace("/", "-").replace(":", "-")  # it names a directory
        return f"{scenario}-{self.method}-seed{self.seed}"


def grid(scenarios: Sequence[str], methods: Sequence[str], seeds: Sequence[str]) -> list[Run]:
    """Returns the runs in their order: those that are compared with each other are neighbours.

    Raises:
      ConfigError: something is missing or unknown.
    """
    for flag, values in [("scenarios", scenarios), ("methods", methods), ("seeds", seeds)]:
        if not values:
            raise errors.ConfigError(f"--{flag} must not be empty")
    for seed in seeds:
        if not seed.isdecimal():
            raise errors.ConfigError(f"--seeds must be whole numbers from 0 on, not {seed!r}")
    for scenario, method in itertools.product(scenarios, methods):
        presets.check(scenario, method)
    runs = itertools.product(scenarios, map(int, seeds), methods)
    return list(dict.fromkeys(Run(method, scenario, seed) for scenario, seed, method in runs))


def common(gin_files: Sequence[str], gin_bindings: Sequence[str]) -> str:
    """Returns what all runs have in common, as one text.

    Raises:
      ConfigError: a file cannot be read.
    """
    try:
        # By their whole paths, as their names may be those of ours.
        texts = [presets.with_includes(str(Path(path).absolute())) for path in gin_files]
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigError(f"--gin_files: {error}") from None
    return "\n".join([*texts, *gin_bindings])


def claim(
    directory: Path,
    gin_files: Sequence[str],
    gin_bindings: Sequence[str],
    further: Sequence[str] = (),
) -> None:
    """Writes what all runs have in common, or checks that it is what is there.

    Args:
      directory: of the runs.
      gin_files: of all.
      gin_bindings: the same.
      further: flags of a training that all of them have, too.

    Raises:
      ConfigError: a file cannot be read or written, or runs with something else are there.
    """
    before = common(gin_files, gin_bindings)  # as earlier versions wrote it
    text = "".join(f"# {flag}\n" for flag in further) + before
    path = directory / "common.gin"
    with whole.refusing("--output"):
        directory.mkdir(parents=True, exist_ok=True)
        has_runs = any(directory.glob("*/config.gin"))
        if has_runs and not path.exists():
            raise errors.ConfigError(
                f"--output={directory} holds runs that were not made together: take another"
            )
        if has_runs and path.read_text(encoding="utf-8") not in (text, before):
            names = ", ".join([*(flag.partition("=")[0] for flag in further), "--gin_files"])
            raise errors.ConfigError(
                f"--output={directory} holds runs with other {names} or --gin_bindings, "
                f"which are in {path}; give them, or another --output"
            )
        whole.write(path, text.encode())


def check_alike(
    runs: Iterable[tuple[Path, Run]],
    advice: str = "take another --output, or remove the older run",
    searched: Collection[str] = (),
) -> None:
    """Checks that runs that are averaged differ in nothing but their seeds, those that there are.

    Args:
      runs: each with the directory of its comparison.
      advice: what to change where they do not.
      searched: names of bindings that may differ, too.

    Raises:
      ConfigError: two differ in more, as settings have changed since the one was made.
    """
    firsts: dict[tuple[str, str], Workdir] = {}
    for directory, run in runs:
        workdir = Workdir(directory / str(run))
        if not workdir.config.exists():
            continue
        first = firsts.setdefault((run.scenario, run.method), workdir)
        different = differences.but_seeds(
            first.configuration(),
            workdir.configuration(),
            (f"in {first.path}", f"in {workdir.path}"),
            searched,
        )
        different += _other_policies(first, workdir, searched)
        if different:
            more, together = "seeds", "averaged"
            if searched:
                more, together = "what is searched", "compared"
            raise errors.ConfigError(
                f"runs that differ in more than {more} are not {together}: {'; '.join(different)}; "
                f"{advice}"
            )


def _other_policies(one: Workdir, other: Workdir, searched: Collection[str]) -> list[str]:
    """Returns what settings name another policy in another run, which has learnt more since."""
    different = []
    for kind, setting in (("start", "Trainer.start_from"), ("frozen", "Opponents.frozen")):
        # In their order; of who has just begun, there may be fewer.
        both = zip(
            *(reversed(checkpoint.paths(run.snapshots(kind))) for run in (one, other)), strict=False
        )
        is_searched = any(name.endswith(setting) for name in searched)
        if not is_searched and any(checkpoint.digest(a) != checkpoint.digest(b) for a, b in both):
            different.append(f"what {setting} named when {one.path} and {other.path} began")
    return different


def targets_of(scenarios: Iterable[str]) -> tuple[float, ...]:
    """Returns the scores that runs on these scenarios are to reach, where none are named."""
    return TARGETS if {*scenarios} <= presets.football_scenarios() else ()


def have_one_scale(scenarios: Iterable[str]) -> bool:
    """Returns whether means over these scenarios say something: scores of football are goals."""
    names = {*scenarios}
    return len(names) <= 1 or names <= presets.football_scenarios()
