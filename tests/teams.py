"""A team of threads, for tests of what machines do together."""

import threading

import numpy as np

from hts_tf.team import MachineLostError


class Threads:
    """Where so many threads meet; `member` makes each one's `team.Team`."""

    def __init__(self, size):
        self.size = size
        self._lock = threading.Condition()
        self._meetings = {}
        self._failure = None

    def member(self, number):
        return _Member(self, number)

    def run(self, body):
        """Returns what body(member) returns on each of the threads, in their order."""
        results = [None] * self.size

        def one(number):
            try:
                results[number] = body(self.member(number))
            except BaseException as error:
                with self._lock:
                    self._failure = self._failure or error
                    self._lock.notify_all()  # those who wait for it

        threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure
        assert all(result is not None for result in results)
        return results

    def meet(self, meeting, number, item):
        with self._lock:
            brought = self._meetings.setdefault(meeting, {})
            brought[number] = item
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._failure or len(brought) == self.size)
            if self._failure:
                raise RuntimeError("another thread has failed")
            return [brought[n] for n in range(self.size)]


class _Member:
    lost: MachineLostError | None = None

    def __init__(self, threads, number):
        self.number, self.size = number, threads.size
        self._threads, self._counts = threads, {}

    def all_gather(self, item):
        return self._meet("between updates", item)

    def all_gather_array(self, array, channel):
        return np.concatenate(self._meet(int(channel), array))

    def _meet(self, channel, item):
        count = self._counts[channel] = self._counts.get(channel, 0) + 1
        return self._threads.meet((channel, count), self.number, item)
