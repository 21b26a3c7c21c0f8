"""A webhook receiver that notes when each notice came, in the event loop of whoever measures."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

_TAKEN: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH: Final = b"content-length:"


@dataclass(slots=True)
class Listening:
    """What came, by patient: the instant at which the whole request had been read."""

    port: int = 0
    came: dict[str, float] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, told: Any) -> None:
        """Note a notice, or those of a digest; the first of a patient counts."""
        at = time.perf_counter()
        for notice in told.get("notices", [told]):
            self.came.setdefault(notice["patient_id"].rpartition("|")[2], at)
        self.arrived.set()


@asynccontextmanager
async def listening() -> AsyncIterator[Listening]:
    """A receiver on a free port of this machine."""
    found = Listening()
    connected: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected[asyncio.current_task()] = writer
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found.note(json.loads(await reader.readexactly(_length(head))))
                writer.write(_TAKEN)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found
        for writer in connected.values():  # else each would be cut off, and say so
            writer.close()
        await asyncio.gather(*filter(None, connected), return_exceptions=True)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.removeprefix(_LENGTH)) for line in lines if line.startswith(_LENGTH))
