import io
import sys

import numpy as np
import pytest

from hts_tf import evaluate


@pytest.mark.parametrize(("encoding", "block"), [("utf-8", "█"), ("ascii", "#")])
def test_a_histogram_is_of_what_the_terminal_can_show(monkeypatch, encoding, block):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    first, *_ = evaluate.histogram(np.arange(20.0)).splitlines()
    assert first == f"      0.00 to     1.90      2  {block * 50}"
    print(first, flush=True)
