"""The MLLP listener: who may connect, how many, and how it stops."""

import asyncio
import socket
import ssl as tls
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Final, cast

from streams.node.mllp.connection import Budget, Connection
from streams.node.mllp.keeping import Allowance
from streams.node.mllp.settings import Counts, MllpSettings, Senders, Uncounted
from streams.node.mllp.tls import client_name
from streams.node.port import Receiver

_WAITING: Final = 512
"""Connections that the system holds until they are accepted."""
_HANDSHAKE: Final = 10.0
"""Seconds."""


def _now() -> datetime:
    return datetime.now(tz=UTC)


async def _one_address(host: str) -> str:
    """One address of a name, IPv4 first: each would be given a free port of its own, and only one can be told."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return str(min(found, key=lambda info: info[0] is not socket.AF_INET)[4][0])


class MllpServer:
    """A running listener. `address`: the host and the port in use."""

    def __init__(
        self,
        receiver: Receiver,
        settings: MllpSettings,
        *,
        counts: Counts,
        senders: Senders | None = None,
        clock: Callable[[], datetime],
    ) -> None:
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._senders = senders
        self._clock = clock
        self._budget = Budget(settings.most_held)
        self._allowance = Allowance(settings, time.monotonic)
        self._running: dict[asyncio.Task[None], Connection] = {}
        self._stopping = False
        self._server: asyncio.Server | None = None
        self.address: tuple[str, int] = ("", 0)

    async def start(self, host: str, port: int, ssl: tls.SSLContext | None) -> None:
        """Listen.

        Errors: OSError where the address is not free.
        """
        self._server = await asyncio.start_server(
            self._connected,
            host if port else await _one_address(host),
            port,
            ssl=ssl,
            backlog=_WAITING,
            ssl_handshake_timeout=_HANDSHAKE if ssl else None,
        )
        self.address = self._server.sockets[0].getsockname()[:2]

    async def stop(self, within: float = 8.0) -> None:
        """Listen no more; finish and answer what is being decided, close; after `within` seconds cut the rest off."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for connection in self._running.values():
            connection.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopping or len(self._running) >= self._settings.most_connections:
            if not self._stopping:
                self._counts.count("too_many_connections")
            writer.transport.abort()
            return
        feed = None
        if self._settings.clients:
            feed = client_name(writer.get_extra_info("peercert"), self._settings.clients)
            if feed is None:
                self._counts.count("unknown_certificate")
                writer.transport.abort()
                return
        sender = feed or str((writer.get_extra_info("peername") or ("",))[0])
        with self._senders.connected(sender) if self._senders else nullcontext(self._counts) as counts:
            await self._run(reader, writer, feed, counts)

    async def _run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, feed: str | None, counts: Counts
    ) -> None:
        connection = Connection(
            reader,
            writer,
            receiver=self._receiver,
            settings=self._settings,
            counts=counts,
            budget=self._budget,
            allowance=self._allowance,
            clock=self._clock,
            feed=feed,
        )
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._running[task] = connection
        try:
            # It ends here: asyncio (3.11) reports a connection's task that was cancelled as an error of a callback.
            with suppress(asyncio.CancelledError):
                await connection.run()
        finally:
            del self._running[task]


async def serve_mllp(
    receiver: Receiver,
    host: str,
    port: int,
    settings: MllpSettings,
    ssl: tls.SSLContext | None = None,
    *,
    counts: Counts | None = None,
    senders: Senders | None = None,
    clock: Callable[[], datetime] = _now,
) -> MllpServer:
    """Listen for MLLP and hand each message to the receiver; port 0 picks a free one.

    Returns: the running listener; its `address` has the port in use.
    Errors: OSError where the address is not free; ValueError for a list of clients without certificates to check,
    or the reverse.
    """
    asks = ssl is not None and ssl.verify_mode is tls.CERT_REQUIRED
    if asks != bool(settings.clients):
        raise ValueError("clients: accepted: a client authority and the names that are let in, or neither")
    server = MllpServer(receiver, settings, counts=counts or Uncounted(), senders=senders, clock=clock)
    await server.start(host, port, ssl)
    return server
