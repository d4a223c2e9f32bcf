"""Command line: makes a page of the CSV files of comparisons, and of the systems benchmark's."""

import shlex
import sys
from pathlib import Path

from absl import flags

from hts_tf import errors
from hts_tf.files import curves
from hts_tf.system import command, installation, outputs

_COMPARISON = flags.DEFINE_list(
    "comparison", None, "directories that hts_tf.compare wrote, separated by commas", required=True
)
_SYSTEMS = flags.DEFINE_string("systems", None, "CSV file that the systems benchmark wrote")
_TARGETS = flags.DEFINE_list(
    "targets",
    None,
    "scores to reach. Default: 0.4,0.8 where all are scenarios of football, else none",
)
_OUTPUT = flags.DEFINE_string(
    "output", "report.html", "page to write; its pictures are written beside it"
)


def report() -> None:
    """Makes the page, and prints which files were written.

    Raises:
      ConfigError: a flag cannot be used.
    """
    if not _COMPARISON.value:
        raise errors.ConfigError("--comparison names no directory")
    with installation.needing("report", "a report"):
        from hts_tf.report import making
    paths = making.make(
        [Path(directory) for directory in _COMPARISON.value],
        Path(_SYSTEMS.value) if _SYSTEMS.value else None,
        outputs.named(_OUTPUT.value),
        shlex.join(["python", "-m", "hts_tf.report", *sys.argv[1:]]),
        None if _TARGETS.value is None else curves.targets(_TARGETS.value),
    )
    for path in paths:
        print(path)


if __name__ == "__main__":
    command.run(report)
