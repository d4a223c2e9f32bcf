import os
import sys

import pytest

from hts_tf.system import terminal


@pytest.fixture(params=["closed", "a pipe without a reader", "a full disk"])
def gone(request):
    """A descriptor that cannot be written."""
    if request.param == "a full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    return descriptor, request.param == "closed"


@pytest.fixture
def standard_error(gone):
    """Standard error is one of these."""
    descriptor, is_closed = gone
    saved = os.dup(2)
    os.dup2(descriptor, 2)
    if is_closed:
        os.close(2)
    yield
    os.dup2(saved, 2)
    os.close(saved)
    os.close(descriptor)


def test_nobody_sees_standard_error_any_more(standard_error):
    terminal.tell("nobody hears this")
    terminal.warn("nor this")
    assert terminal.fail("nor why", 2) == 2


def test_nobody_sees_standard_output_any_more(gone, monkeypatch):
    with open(gone[0], "w") as broken:  # noqa: PTH123  a descriptor has no path
        monkeypatch.setattr(sys, "stdout", broken)
        terminal.say("nobody hears this")
        terminal.say("nor this")


def test_a_failure_is_one_line(capfd):
    assert terminal.fail("this\nand where it was found", 1) == 1
    terminal.warn("something \udc80 odd")
    assert capfd.readouterr().err == "error: this\nwarning: something \\udc80 odd\n"
