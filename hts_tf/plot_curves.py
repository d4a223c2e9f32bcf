"""Command line: draws learning curves from the event files of runs."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from hts_tf import errors, operative
from hts_tf.files import curves
from hts_tf.files.curves import TARGETS, Curve, read_curve
from hts_tf.files.workdir import Workdir
from hts_tf.system import command, installation, outputs, whole

_WORKDIRS = flags.DEFINE_list(
    "workdirs", None, "directories of the training runs, separated by commas", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", "curves.png", "picture to write; a .csv is written beside it"
)
_TITLE = flags.DEFINE_string("title", "", "title above the picture")
_TARGETS = flags.DEFINE_list(
    "targets",
    None,
    "scores of which to say when they were reached; default: 0.4,0.8 where all runs are of "
    "football, else none",
)

_COLUMNS = ("run", *Curve._fields)


def _named(workdirs: Sequence[str]) -> dict[str, Path]:
    """Returns workdirs by their last names, or, if some have the same, as they are given."""
    paths = list(map(Path, workdirs))
    names = [path.absolute().name for path in paths]  # of links, their own
    return dict(zip(names if len({*names}) == len(names) else workdirs, paths, strict=True))


def _cell(value: float) -> str:
    """Writes a number: whole ones, such as env steps, with all their digits."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def _targets() -> tuple[float, ...]:
    """Returns the scores that are to be reached, where none are named."""
    environments = (
        operative.bindings(workdir.configuration()).get("Trainer.environment")
        for workdir in map(Workdir, _WORKDIRS.value)
        if workdir.config.exists()
    )
    kinds = {name for environment in environments for name in operative.references(environment)}
    return TARGETS if kinds == {"Football"} else ()


def plot() -> None:
    """Draws, and prints when the targets were reached.

    Raises:
      ConfigError: a flag cannot be used.
    """
    with installation.needing("plot", "a picture"):
        from hts_tf.watching import learning_curves
    if not _WORKDIRS.value:
        raise errors.ConfigError("--workdirs names no run")
    targets = curves.targets(_TARGETS.value) if _TARGETS.value is not None else _targets()
    try:
        runs = {name: read_curve(path) for name, path in _named(_WORKDIRS.value).items()}
    except FileNotFoundError as error:
        raise errors.ConfigError(str(error)) from None
    output = outputs.named(_OUTPUT.value)
    table = output.with_suffix(".csv")
    outputs.check_table(output, table, _COLUMNS, "curves")
    rows = (
        [name, *map(_cell, row)] for name, curve in runs.items() for row in zip(*curve, strict=True)
    )
    with whole.refusing("--output"):
        learning_curves.draw(runs, targets, _TITLE.value, output)
        whole.write_csv(table, _COLUMNS, rows)
    for name, curve in runs.items():
        for target in targets:
            reached = curve.first_reached(target)
            text = (
                f"after {reached[0]:,} env steps, {reached[1]:.1f} minutes" if reached else "never"
            )
            print(f"{name}: score {target:g} {text}")


if __name__ == "__main__":
    command.run(plot)
