"""Matplotlib, as all who draw here use it, and its figures as whole files."""

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # needs no display

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from hts_tf import errors
from hts_tf.system import whole

_DOTS_PER_INCH = 120


def write(path: Path, figure: Figure, flag: str = "--output") -> None:
    """Writes a figure, and closes it; see `whole.write`.

    Args:
      path: of the file.
      figure: to write.
      flag: that names the path, for messages.

    Raises:
      ConfigError: no picture can be written to a path, as far as its name tells.
    """
    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:] not in known:
        raise errors.ConfigError(f"{flag}={path} must end in .{', .'.join(known)}")
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:], dpi=_DOTS_PER_INCH)
    plt.close(figure)
    whole.write(path, content.getvalue())
