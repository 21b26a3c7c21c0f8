"""Senders over MLLP in one thread: each connection sends, waits for its acknowledgement and sends the next.

Topic: plain sockets and a selector, for what the senders cost would else be measured as the server's.
"""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field


@dataclass(slots=True)
class Acknowledged:
    """What came of a run."""

    messages: int = 0
    seconds: float = 0.0
    waited: list[float] = field(default_factory=list)
    """Seconds from each message to its acknowledgement."""

    @property
    def rate(self) -> float:
        """Acknowledgements a second."""
        return self.messages / self.seconds

    def within(self, share: float) -> float:
        """Milliseconds in which so large a share was acknowledged."""
        return sorted(self.waited)[int(share * (len(self.waited) - 1))] * 1_000


@dataclass(slots=True)
class _Sender:
    connection: socket.socket
    blocks: Iterator[bytes]
    sent_at: float = 0.0
    read: bytes = b""

    def send(self) -> bool:
        """Send the next; False if there is none."""
        block = next(self.blocks, None)
        if block is None:
            return False
        self.sent_at = time.perf_counter()
        self.connection.sendall(block)
        return True

    def hears(self) -> bool:
        """Read; whether it has been acknowledged.

        Errors: AssertionError for any answer but AA.
        """
        self.read += self.connection.recv(65_536)
        if not self.read.endswith(b"\x1c\r"):
            assert self.read, "the server closed the connection"
            return False
        assert b"\rMSA|AA|" in self.read, self.read[:300]
        self.read = b""
        return True


def send_all(address: tuple[str, int], feeds: Sequence[Iterator[bytes]], seconds: float | None = None) -> Acknowledged:
    """Send every block of every feed over a connection of its own, or as many as so many seconds allow."""
    found = Acknowledged()
    with selectors.DefaultSelector() as ready, ExitStack() as opened:
        senders = [_Sender(opened.enter_context(socket.create_connection(address)), feed) for feed in feeds]
        began = time.perf_counter()
        for each in senders:
            each.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if each.send():
                ready.register(each.connection, selectors.EVENT_READ, each)
        while ready.get_map() and (seconds is None or time.perf_counter() < began + seconds):
            for key, _ in ready.select(60):
                _heard(key, ready, found)
        found.seconds = time.perf_counter() - began
    return found


def _heard(key: selectors.SelectorKey, ready: selectors.BaseSelector, found: Acknowledged) -> None:
    sender: _Sender = key.data
    if sender.hears():
        found.messages += 1
        found.waited.append(time.perf_counter() - sender.sent_at)
        if not sender.send():
            ready.unregister(sender.connection)
