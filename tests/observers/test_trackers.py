import posixpath
import re

import pytest

from hts_tf.observers import trackers


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("learner/entropy", "learner/entropy"),
        ("opponents/win_rate/runs/a, b@12", "opponents/win_rate/runs/a_ b_12"),
        ("opponents/win_rate/../x-1:y/./z.w", "opponents/win_rate/x-1:y/z.w"),
        ("opponents/win_rate//tmp/é(1)/", "opponents/win_rate/tmp/é_1_"),
    ],
)
def test_figures_have_names_that_mlflow_takes(name, taken):
    assert trackers._metric(name) == taken
    assert re.fullmatch(r"[/\w.\- :]+", taken)  # as its client checks
    assert posixpath.normpath(taken) == taken
