"""Command line: draws the timelines of a trace that `hts_tf.train --trace` has recorded."""

from pathlib import Path

from absl import flags

from hts_tf import errors
from hts_tf.system import command, installation, whole
from hts_tf.watching import trace

_TRACE = flags.DEFINE_string("trace", None, "trace.json of the run to draw", required=True)
_OUTPUT = flags.DEFINE_string("output", "timeline.png", "picture to write")
_TITLE = flags.DEFINE_string("title", "", "title above the picture")
_WINDOW = flags.DEFINE_list("window", None, "BEGIN,END of the upper part in seconds; default: all")
_ZOOM = flags.DEFINE_list("zoom", None, "BEGIN,END of the lower part in seconds; default: 0.1 s")


def plot() -> None:
    """Draws.

    Raises:
      ConfigError: a flag cannot be used.
    """
    with installation.needing("plot", "a picture"):
        from hts_tf.watching import timeline
    with whole.refusing("--output"):
        timeline.draw(
            trace.read(Path(_TRACE.value)),
            Path(_OUTPUT.value),
            _TITLE.value,
            _seconds("--window", _WINDOW.value),
            _seconds("--zoom", _ZOOM.value),
        )


def _seconds(flag: str, values: list[str] | None) -> tuple[float, float] | None:
    if values is None:
        return None
    try:
        begin, end = map(float, values)
    except ValueError:
        raise errors.ConfigError(
            f"{flag} takes BEGIN,END in seconds, not {','.join(values)!r}"
        ) from None
    return begin, end


if __name__ == "__main__":
    command.run(plot)
