from types import SimpleNamespace

import pytest

pytest.importorskip("matplotlib")

from hts_tf.report.style import plt
from hts_tf.sweeping import page
from hts_tf.sweeping.record import COMPLETE


@pytest.mark.parametrize(
    ("tried", "scale", "ticks"),
    [
        (["5", "10", "15"] * 2, "linear", ["5", "10", "15"]),
        (["2", "4", "16"] * 2, "log", ["2", "4", "16"]),
        ([f"{0.0002 * 1.1**number:.5f}" for number in range(20)], "log", None),
        ([f"{0.003 + 0.0001 * number:.4f}" for number in range(20)], "linear", None),
        (["None", "@gru", "None"], "linear", ["@gru", "None"]),
        ([], "linear", []),
    ],
    ids=["few", "few that spread", "spread", "near each other", "names", "all were refused"],
)
def test_axes_of_what_was_tried(tried, scale, ticks):
    outcomes = [SimpleNamespace(values=[text], value=0.5, state=COMPLETE) for text in tried]
    figure = page._values(["x"], outcomes)
    [panel] = (axes for axes in figure.axes if axes.get_xlabel() == "x")
    assert panel.get_xscale() == scale
    labels = [label.get_text() for label in panel.get_xticklabels()]
    assert ticks is None or labels == ticks
    plt.close(figure)
