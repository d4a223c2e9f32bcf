import signal

import pytest

from hts_tf.system.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_does_not_wait(capfd, number):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    signals = StopSignals("at the next sync point")
    with signals:
        assert signals.received is None
        signal.raise_signal(number)
        assert signals.received == number
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    expected = f"\n{number.name}: stopping at the next sync point (again: at once)\n"
    assert capfd.readouterr().err == expected
