"""Pictures of traces: a row for each worker, busy in colour, waiting pale, lines at sync points."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hts_tf import errors
from hts_tf.watching import picture
from hts_tf.watching.picture import plt
from hts_tf.watching.trace import Trace

_PALE, _PALE_SYNC = "#d3dde6", "#f3d9a4"
_WAITS = "waits for actions, observations or rollout"
# Activity -> (what the legend says, colour); what is left white is `_REST`.
_REST = "hand-over, or writing the log"
_LOOKS = {
    "step": ("executor steps", "#0072b2"),
    "reset": ("executor resets", "#56b4e9"),
    "inference": ("actor computes", "#009e73"),
    "update": ("learner updates", "#d55e00"),
    "wait_action": (_WAITS, _PALE),
    "wait_state": (_WAITS, _PALE),
    "wait_rollout": (_WAITS, _PALE),
    "wait_sync": ("waits at the sync point", _PALE_SYNC),
}
_SYNC_POINT_LOOK = {"color": "#c00000", "linewidth": 1.4}


def draw(
    trace: Trace,
    path: Path,
    title: str = "",
    window: tuple[float, float] | None = None,
    zoom: tuple[float, float] | None = None,
) -> None:
    """Draws a window of a trace, and below it a much shorter one, with single env steps.

    Args:
      trace: what to draw.
      path: of the picture.
      title: above it.
      window: (begin, end) in seconds since the trace's begin; None for all of it.
      zoom: the shorter one, in the same seconds; None for 100 ms, most of them before the sync
        point nearest to the window's middle, if there is one.

    Raises:
      ConfigError: a window has no length, or lies outside of the trace.
    """
    window = window or (0.0, trace.end)
    zoom = zoom or _default_zoom(trace, window)
    for begin, end in (window, zoom):
        if not 0 <= begin < end <= trace.end + 1e-6:
            raise errors.ConfigError(
                f"a window from {begin:g} to {end:g} s is not within the trace's "
                f"0 to {trace.end:.3f} s"
            )
    height = 0.27 * len(trace.workers)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(11, 2.2 + 2 * height), layout="constrained"
    )
    _draw_window(above, trace, window)
    above.set_xlabel("seconds")
    above.axvspan(*zoom, facecolor="none", edgecolor="black", linewidth=1.2, zorder=4)
    _draw_window(below, trace, zoom, origin=zoom[0], unit=1e-3)
    below.set_xlabel(f"milliseconds: the frame above, from {zoom[0]:.3f} s on")
    figure.suptitle(title)
    figure.legend(handles=_legend(trace), loc="outside lower center", ncols=3, frameon=False)
    picture.write(path, figure)


def _default_zoom(trace: Trace, window: tuple[float, float]) -> tuple[float, float]:
    length = min(0.1, window[1] - window[0])
    middle = sum(window) / 2
    inside = [t for t in trace.sync_points if window[0] <= t <= window[1]]
    near = min(inside, key=lambda t: abs(t - middle), default=middle)
    begin = min(max(near - 0.8 * length, window[0]), window[1] - length)
    return begin, begin + length


def _draw_window(
    axes: Axes, trace: Trace, window: tuple[float, float], origin: float = 0.0, unit: float = 1.0
) -> None:
    for row, events in enumerate(trace.workers.values()):
        inside = [e for e in events if e.end > window[0] and e.begin < window[1]]
        axes.broken_barh(
            [((e.begin - origin) / unit, (e.end - e.begin) / unit) for e in inside],
            (row - 0.4, 0.8),
            facecolors=[_LOOKS[e.activity][1] for e in inside],
            linewidth=0,
            snap=False,  # else whatever is narrower than a pixel would get a whole one
        )
    for t in trace.sync_points:
        if window[0] <= t <= window[1]:
            axes.axvline((t - origin) / unit, **_SYNC_POINT_LOOK)
    axes.set_yticks(range(len(trace.workers)), trace.workers)
    axes.set_ylim(len(trace.workers) - 0.5, -0.5)
    axes.set_xlim(*((t - origin) / unit for t in window))
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(trace: Trace) -> list[Patch | Line2D]:
    done = {event.activity for events in trace.workers.values() for event in events}
    colours = {label: colour for name, (label, colour) in _LOOKS.items() if name in done}
    handles = [Patch(color=colour, label=label) for label, colour in colours.items()]
    handles.append(Patch(facecolor="white", edgecolor=_PALE, label=_REST))
    if trace.sync_points:
        handles.append(Line2D([], [], label="sync point", **_SYNC_POINT_LOOK))
    return handles
