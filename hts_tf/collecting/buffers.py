"""State, action and finished buffer: queues of tickets between processes.

A ticket is a slot: the index of an environment. Observations and actions themselves never pass
through a buffer; they lie in the data storage, where the ticket's holder finds them. So a buffer
is little more than a pipe: the kernel keeps the order, blocks the readers without polling and
hands over many tickets in one system call.
"""

import array
import fcntl
import os
import struct
import termios
from collections.abc import Iterable

from hts_tf import errors

_TICKET_BYTES = 4
_CLOSED = -1  # the ticket that `close` leaves in the pipe, for every reader to find
_ATOMIC_TICKETS = 4096 // _TICKET_BYTES  # PIPE_BUF: a write up to here is never torn


class BufferClosedError(Exception):
    """The buffer was closed and holds no further tickets."""


class TicketBuffer:
    """A queue of tickets, with the methods of `tf.queue`, that works between processes.

    Any number of threads and processes may enqueue and dequeue. Pipe reads and writes of whole
    tickets up to PIPE_BUF bytes are atomic, so no lock is needed. Pass `fds` to a child
    process and rebuild the buffer there with `TicketBuffer(capacity, fds)`.

    Attributes:
      capacity: how many tickets there are: one for each environment. The successor of a dead
        executor may hand over some again; the pipe holds twice as many, so `enqueue` never blocks.
      fds: file descriptors (read end, write end).
    """

    def __init__(self, capacity: int, fds: tuple[int, int] | None = None) -> None:
        """Raises: ConfigError: the kernel's pipe cannot hold `capacity` tickets."""
        self.capacity = capacity
        self.fds = fds or os.pipe()
        self._closed = False
        # A write that does not fit into the pipe's last page begins another: half may be lost.
        holds = fcntl.fcntl(self.fds[1], fcntl.F_GETPIPE_SZ) // _TICKET_BYTES // 2
        if capacity >= holds:  # one place stays free for the ticket of `close`
            self.release()
            raise errors.ConfigError(
                "lower Trainer.num_envs or Asynchronous.batch_unrolls: a buffer holds at most "
                f"{holds - 1} tickets, not {capacity}"
            )

    def enqueue(self, tickets: Iterable[int]) -> None:
        """Adds tickets at the end.

        Raises:
          BufferClosedError: this process knows that the buffer is closed.
        """
        if self._closed:
            raise BufferClosedError
        data = array.array("i", tickets)
        for start in range(0, len(data), _ATOMIC_TICKETS):
            os.write(self.fds[1], data[start : start + _ATOMIC_TICKETS])

    def dequeue_up_to(self, n: int) -> list[int]:
        """Waits for a ticket, and takes it with what else is there, at most `n` in all.

        Raises:
          BufferClosedError: the buffer is closed and every ticket enqueued before is gone.
        """
        tickets = array.array("i", os.read(self.fds[0], min(n, _ATOMIC_TICKETS) * _TICKET_BYTES))
        if _CLOSED not in tickets:
            return tickets.tolist()
        self._closed = True
        self._leave_close_ticket()  # for the next reader
        remaining = [ticket for ticket in tickets if ticket != _CLOSED]
        if not remaining:
            raise BufferClosedError
        return remaining

    def dequeue_many(self, n: int) -> list[int]:
        """Waits for `n` tickets and takes them.

        Only one thread at a time may wait for many: two could each hold what the other lacks.

        Raises:
          BufferClosedError: the buffer was closed before there were `n`.
        """
        tickets: list[int] = []
        while len(tickets) < n:
            tickets += self.dequeue_up_to(n - len(tickets))
        return tickets

    def size(self) -> int:
        """Returns how many tickets are in the buffer now."""
        answer = fcntl.ioctl(self.fds[0], termios.FIONREAD, b"\0" * 4)
        return struct.unpack("i", answer)[0] // _TICKET_BYTES - self._closed

    def close(self) -> None:
        """Lets readers drain what is there and then raises in them; may be called twice."""
        if not self._closed:
            self._closed = True
            self._leave_close_ticket()

    def release(self) -> None:
        """Gives the file descriptors back, once no thread uses the buffer any more."""
        self._closed = True
        fds, self.fds = self.fds, (-1, -1)
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _leave_close_ticket(self) -> None:
        os.write(self.fds[1], struct.pack("i", _CLOSED))
