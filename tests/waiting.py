"""Waits for what other threads, processes and the kernel do."""

import time


def until(condition, every_sec=0.01, at_most_sec=60.0):
    """Waits until condition() holds, which fails the test if that takes too long."""
    deadline = time.monotonic() + at_most_sec
    while not condition():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(every_sec)
