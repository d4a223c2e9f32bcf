import fcntl
import itertools
import os
import random
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hts_tf import errors
from hts_tf.collecting import buffers
from hts_tf.collecting.buffers import BufferClosedError, TicketBuffer
from tests import waiting

DEADLINE_SEC = 120  # after which a test that hangs fails; none waits for it to pass

# Enqueues the tickets from argv[3] up to argv[4], in pieces of different sizes.
WRITER = """
import sys
from hts_tf.collecting.buffers import TicketBuffer
read_end, write_end, first, last = map(int, sys.argv[1:])
buffer = TicketBuffer(1000, (read_end, write_end))
size = 1
while first < last:
    buffer.enqueue(range(first, min(first + size, last)))
    first += size
    size = size % 5 + 1
"""

# Says that it is there, then prints what it dequeues, until the buffer is closed.
READER = """
import sys
from hts_tf.collecting.buffers import BufferClosedError, TicketBuffer
buffer = TicketBuffer(1000, tuple(map(int, sys.argv[1:])))
print("ready", flush=True)
try:
    while True:
        print(*buffer.dequeue_up_to(3), flush=True)
except BufferClosedError:
    print("closed", flush=True)
"""


@pytest.fixture
def buffer():
    buffer = TicketBuffer(1000)
    yield buffer
    buffer.release()


class Thread(threading.Thread):
    """A thread whose `result` returns or raises what its body did."""

    def __init__(self, body, *args):
        super().__init__(daemon=True)
        self._call = lambda: body(*args)
        self._outcome = None
        self.start()

    def run(self):
        try:
            self._outcome = self._call(), None
        except Exception as error:
            self._outcome = None, error

    def result(self):
        self.join(DEADLINE_SEC)
        assert not self.is_alive(), "the thread hangs"
        value, error = self._outcome
        if error:
            raise error
        return value


def wait_until_blocked(threads, fd):
    """Waits until the kernel says that each thread is in a system call on the descriptor."""
    for thread in threads:
        path = Path(f"/proc/self/task/{thread.native_id}/syscall")
        waiting.until(lambda path=path: path.read_text().split()[1:2] == [hex(fd)])


def start(script, buffer, *args):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, [*buffer.fds, *args])],
        pass_fds=buffer.fds,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def processes():
    started = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def drain(buffer, n):
    """Dequeues until the buffer is closed; returns the non-empty batches."""
    batches = []
    try:
        while True:
            batches.append(buffer.dequeue_up_to(n))
    except BufferClosedError:
        return batches


def test_first_in_first_out_whatever_the_order_of_slots(buffer):
    buffer.enqueue([3, 1])
    buffer.enqueue([2])
    buffer.enqueue([0])
    assert buffer.dequeue_up_to(10) == [3, 1, 2, 0]


def test_dequeue_up_to_leaves_the_rest(buffer):
    buffer.enqueue(range(5))
    assert buffer.dequeue_up_to(2) == [0, 1]
    assert buffer.dequeue_up_to(2) == [2, 3]
    assert buffer.dequeue_up_to(2) == [4]


def test_dequeue_many_gathers_exactly_n(buffer):
    for ticket in range(4):
        buffer.enqueue([ticket])
    assert buffer.dequeue_many(3) == [0, 1, 2]
    assert buffer.size() == 1


def test_enqueueing_nothing_wakes_nobody(buffer):
    buffer.enqueue([])
    assert buffer.size() == 0
    buffer.enqueue([1])
    assert buffer.dequeue_up_to(2) == [1]


def test_takes_any_iterable_of_integers(buffer):
    import numpy as np

    buffer.enqueue(np.array([4, 2]))
    buffer.enqueue(iter((1,)))
    assert buffer.dequeue_up_to(9) == [4, 2, 1]


@given(
    st.lists(
        st.lists(st.integers(0, 2**31 - 1), max_size=20)  # enqueue these
        | st.integers(1, 20)  # dequeue so many
    )
)
def test_against_a_list(operations):
    buffer, model = TicketBuffer(1000), []
    try:
        for operation in operations:
            if isinstance(operation, list):
                buffer.enqueue(operation)
                model += operation
            elif model:
                taken = buffer.dequeue_up_to(operation)
                assert taken == model[:operation]
                del model[: len(taken)]
            assert buffer.size() == len(model)
    finally:
        buffer.release()


def test_a_reader_blocks_until_there_is_a_ticket(buffer):
    reader = Thread(buffer.dequeue_up_to, 5)
    wait_until_blocked([reader], buffer.fds[0])
    buffer.enqueue([7])
    assert reader.result() == [7]


def test_dequeue_many_blocks_until_there_are_n(buffer):
    buffer.enqueue([0, 1])
    reader = Thread(buffer.dequeue_many, 3)
    waiting.until(lambda: buffer.size() == 0)  # it holds two
    wait_until_blocked([reader], buffer.fds[0])
    buffer.enqueue([2, 3])
    assert reader.result() == [0, 1, 2]
    assert buffer.dequeue_up_to(9) == [3]


def test_each_blocked_reader_gets_a_ticket(buffer):
    readers = [Thread(buffer.dequeue_up_to, 1) for _ in range(4)]
    wait_until_blocked(readers, buffer.fds[0])
    buffer.enqueue(range(4))
    assert sorted(ticket for reader in readers for ticket in reader.result()) == [0, 1, 2, 3]


def test_more_tickets_than_one_atomic_write(buffer):
    count = 3 * buffers._ATOMIC_TICKETS + 5
    buffer.enqueue(range(count))
    assert buffer.size() == count
    assert len(buffer.dequeue_up_to(count)) <= buffers._ATOMIC_TICKETS
    buffer.dequeue_many(count - buffers._ATOMIC_TICKETS - 2)
    assert buffer.dequeue_up_to(9) == [count - 2, count - 1]


@pytest.mark.parametrize("seed", range(3))
def test_readers_and_writers_lose_and_duplicate_nothing(buffer, processes, seed):
    per_writer = 3000
    batch_sizes = random.Random(seed).choices([1, 2, 7, 2000], k=4)
    readers = [Thread(drain, buffer, n) for n in batch_sizes]
    processes += [start(WRITER, buffer, i * per_writer, (i + 1) * per_writer) for i in range(3)]
    assert [process.wait(DEADLINE_SEC) for process in processes] == [0, 0, 0]
    buffer.close()
    got = [
        (batch, n)
        for reader, n in zip(readers, batch_sizes, strict=True)
        for batch in reader.result()
    ]
    assert all(0 < len(batch) <= n for batch, n in got)
    assert sorted(ticket for batch, _ in got for ticket in batch) == list(range(3 * per_writer))


def test_tickets_of_one_writer_arrive_in_its_order(buffer, processes):
    processes += [start(WRITER, buffer, 0, 2000), start(WRITER, buffer, 2000, 4000)]
    tickets = buffer.dequeue_many(4000)
    assert [t for t in tickets if t < 2000] == list(range(2000))
    assert [t for t in tickets if t >= 2000] == list(range(2000, 4000))


def pipe_tickets():
    fds = os.pipe()
    nbytes = fcntl.fcntl(fds[1], fcntl.F_GETPIPE_SZ)
    for fd in fds:
        os.close(fd)
    return nbytes // 4


def test_a_capacity_beyond_the_pipe_is_refused():
    with pytest.raises(errors.ConfigError, match=f"not {pipe_tickets()}$"):
        TicketBuffer(pipe_tickets())


@pytest.fixture
def largest():
    """A buffer of the largest capacity that is allowed."""
    for capacity in range(pipe_tickets(), 0, -1):
        try:
            buffer = TicketBuffer(capacity)
        except errors.ConfigError:
            continue
        break
    yield buffer
    buffer.release()


@pytest.mark.parametrize(
    "pieces",
    [[1024], [1], [513], [1, 1024]],
)
def test_a_full_buffer_still_takes_the_close_without_blocking(largest, pieces):
    os.set_blocking(largest.fds[1], False)  # what would block raises BlockingIOError
    first = 0
    for size in itertools.cycle(pieces):
        last = min(first + size, largest.capacity)
        largest.enqueue(range(first, last))
        first = last
        if first == largest.capacity:
            break
    largest.close()
    assert [t for batch in drain(largest, 1024) for t in batch] == list(range(largest.capacity))


def test_close_drains_what_is_there_then_raises(buffer):
    buffer.enqueue([1, 2, 3])
    buffer.close()
    assert buffer.dequeue_up_to(2) == [1, 2]
    assert buffer.dequeue_up_to(2) == [3]
    for _ in range(3):
        with pytest.raises(BufferClosedError):
            buffer.dequeue_up_to(2)
    with pytest.raises(BufferClosedError):
        buffer.dequeue_many(1)


def test_dequeue_many_raises_where_the_rest_will_never_come(buffer):
    buffer.enqueue([1, 2])
    buffer.close()
    with pytest.raises(BufferClosedError):
        buffer.dequeue_many(3)


def test_a_closed_buffer_takes_nothing_more(buffer):
    buffer.close()
    with pytest.raises(BufferClosedError):
        buffer.enqueue([1])


def test_close_wakes_every_blocked_thread(buffer):
    readers = [Thread(buffer.dequeue_up_to, 1) for _ in range(5)]
    readers.append(Thread(buffer.dequeue_many, 2))
    wait_until_blocked(readers, buffer.fds[0])
    buffer.close()
    for reader in readers:
        with pytest.raises(BufferClosedError):
            reader.result()


def test_close_reaches_other_processes(buffer, processes):
    processes += [start(READER, buffer), start(READER, buffer)]
    assert [process.stdout.readline() for process in processes] == ["ready\n", "ready\n"]
    buffer.close()
    for process in processes:
        assert process.communicate(timeout=DEADLINE_SEC)[0] == "closed\n"


def test_a_buffer_closed_by_another_process_is_found_closed(buffer):
    script = (
        "import sys; from hts_tf.collecting.buffers import TicketBuffer;"
        "TicketBuffer(1000, tuple(map(int, sys.argv[1:]))).close()"
    )
    buffer.enqueue([5])
    subprocess.run(
        [sys.executable, "-c", script, *map(str, buffer.fds)], pass_fds=buffer.fds, check=True
    )
    assert buffer.dequeue_up_to(9) == [5]
    with pytest.raises(BufferClosedError):
        buffer.dequeue_up_to(9)
    with pytest.raises(BufferClosedError):
        buffer.enqueue([6])


def test_what_another_process_enqueued_after_the_close_is_still_drained(buffer):
    buffer.close()
    os.write(buffer.fds[1], struct.pack("i", 8))  # by one that does not know yet
    assert buffer.dequeue_up_to(9) == [8]
    with pytest.raises(BufferClosedError):
        buffer.dequeue_up_to(9)


def test_close_and_release_twice(buffer):
    buffer.close()
    buffer.close()
    buffer.release()
    buffer.release()
    buffer.close()


def test_release_gives_the_descriptors_back():
    buffer = TicketBuffer(1)
    fds = buffer.fds
    buffer.release()
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_size_does_not_count_the_close(buffer):
    assert buffer.size() == 0
    buffer.enqueue([4, 5, 6])
    assert buffer.size() == 3
    buffer.close()
    assert buffer.size() == 3
    assert drain(buffer, 2) == [[4, 5], [6]]
    assert buffer.size() == 0
