"""The server of the application: uvicorn with bounds, on a socket that is open before anybody is told of it."""

import asyncio
import socket
from asyncio import Transport
from contextlib import nullcontext
from typing import Any, Final, Self

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.node.access import refuse_to_start
from streams.node.http.node import node_in

_BACKLOG: Final = 512


class _BoundedProtocol(HttpToolsProtocol):
    """Cuts off whoever does not say a whole head in time; uvicorn itself waits for ever."""

    head_within: float = 15.0
    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._wait_no_more()
        self._waits = self.loop.call_later(self.head_within, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


class HttpServer:
    """One application at one address; `async with` starts and stops it.

    Errors: AccessError off loopback without authentication; OSError where the address cannot be had.
    """

    def __init__(self, application: FastAPI) -> None:
        self.node = node_in(application)
        settings = self.node.settings
        refuse_to_start(settings.host, self.node.access)
        self._socket = _listening(settings.host, settings.port)
        bounded: Any = type("_Bounded", (_BoundedProtocol,), {"head_within": settings.head_within})
        self._server = _Server(
            uvicorn.Config(
                application,
                http=bounded,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,  # its lines have the address, and an address may have a patient's number
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=max(1, int(settings.head_within)),
                timeout_graceful_shutdown=5,
                limit_concurrency=settings.most_connections,
                ssl_certfile=settings.certificate,
                ssl_keyfile=settings.private_key,
            )
        )
        self._running: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """`HOST:PORT` in use."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def start(self) -> None:
        """Serve; returns once requests are taken."""
        self._running = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started:
            if self._running.done():
                await self._running
                raise OSError("the HTTP server did not start")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Take no new requests, let streams end, finish what was begun."""
        self.node.doorbell.stop()
        self._server.should_exit = True
        if self._running is not None:
            await self._running
        self._socket.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()


def _listening(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, proto, _, address = found[0]
    listening = socket.socket(family, kind, proto)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
