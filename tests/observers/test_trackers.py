import posixpath
import re
from types import SimpleNamespace
from unittest import mock

import pytest

from hts_tf.observers import trackers


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("learner/entropy", "learner/entropy"),
        ("opponents/win_rate/runs/a, b@12", "opponents/win_rate/runs/a_ b_12"),
        ("opponents/win_rate/../x-1:y/./z.w", "opponents/win_rate/x-1:y/z.w"),
        ("opponents/win_rate//tmp/é(1)/", "opponents/win_rate/tmp/é_1_"),
        ("opponents/win_rate/" + "x" * 300, "x" * 250),
    ],
)
def test_figures_have_names_that_mlflow_takes(name, taken):
    assert trackers._metric(name) == taken
    assert re.fullmatch(r"[/\w.\- :]+", taken)  # as its client checks
    assert posixpath.normpath(taken) == taken


def test_what_is_printed_is_nothing_for_weights_and_biases(tmp_path, monkeypatch):
    begun = {}
    fake = SimpleNamespace(Settings=dict, init=lambda **how: begun.update(how) or mock.Mock())
    monkeypatch.setattr(trackers, "_module", lambda name: fake)
    trackers.WeightsAndBiases().begin(SimpleNamespace(workdir=tmp_path, configuration={}))
    assert begun["settings"] == {"silent": True, "console": "off"}
