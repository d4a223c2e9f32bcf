import contextlib
import signal

import pytest

from hts_tf.system import start, stop_signals
from hts_tf.system.stop_signals import Interrupted, StopSignals, held, not_swallowed, unwind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_does_not_wait(capfd, number):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    signals = StopSignals("at the next sync point")
    with signals:
        assert signals.received is None
        signal.raise_signal(number)
        assert signals.received == number
        with pytest.raises(Interrupted) as raised:
            signal.raise_signal(signal.SIGINT)
        assert raised.value.code == 128 + number
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    expected = f"\n{number.name}: stopping at the next sync point (again: at once)\n"
    assert capfd.readouterr().err == expected


def test_a_terminal_that_is_closed_says_so_more_than_once(hangs_up):
    """The kernel does, and the shell passes it on; nobody insists."""
    signals = StopSignals("at the next sync point")
    with signals:
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
        assert signals.received == signal.SIGHUP
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


def test_a_terminal_that_is_closed_does_not_insist_on_what_was_asked_before(hangs_up):
    signals = StopSignals("at the next sync point")
    with signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert signals.received == signal.SIGTERM


def test_unwinding_it_is_raised_once(hangs_up, unwinding):
    with pytest.raises(Interrupted) as raised:
        signal.raise_signal(signal.SIGHUP)
    assert raised.value.code == 129
    signal.raise_signal(signal.SIGHUP)


def test_what_nohup_has_ignored_is_no_signal_to_stop(hangs_up):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert start.stopping() == (signal.SIGINT, signal.SIGTERM)
    with StopSignals("at the next sync point") as none:
        assert none is None
        signal.raise_signal(signal.SIGHUP)


def test_one_that_is_passed_on_by_who_started_the_process_is_no_second_one(monkeypatch):
    """As where both are signalled."""
    monkeypatch.setattr(start, "is_tied", True)
    signals = StopSignals("at the next sync point")
    with signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        monkeypatch.setattr(stop_signals, "_PASSED_ON_SEC", 0.0)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)


def test_one_that_was_swallowed_is_noted(unwinding, capfd):
    with contextlib.suppress(Interrupted):  # as libraries do: `except:`
        signal.raise_signal(signal.SIGTERM)
    signals = StopSignals("after the next update")
    with signals:
        assert signals.received == signal.SIGTERM
    unwind()
    with StopSignals("after the next update"):
        pass
    expected = "\nSIGTERM: stopping after the next update (again: at once)\n"
    assert capfd.readouterr().err == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_held_comes_at_the_end(unwinding, number):
    done = []
    with pytest.raises(Interrupted) as raised, held():
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        done.append("all of it")
    assert raised.value.code == 128 + number
    assert done
    with held():  # none came
        pass
    with pytest.raises(Interrupted):
        signal.raise_signal(number)


def test_one_that_a_library_swallows_comes_when_that_is_done(unwinding):
    with not_swallowed():  # none came
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGTERM)
    with not_swallowed():  # that one was known
        pass
    done = []
    with pytest.raises(Interrupted) as raised, not_swallowed():
        with contextlib.suppress(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        done.append("all of it")
    assert raised.value.code == 128 + signal.SIGTERM
    assert done
